import { RegistryError } from '../../domain/errors.ts';
import { FairMemory } from '../../coordination/fair-memory.ts';
import { BodyBlocks } from './body-blocks.ts';
import type { Timer } from '../timer.ts';

/** What request bodies that are read whole may hold together: sixteen of the largest manifests. */
const requestBytesMax = 64 * 1024 * 1024;
/** The same for calls of the AWS APIs, which carry parts of layers: four of 20 MiB in base64, and room for others. */
const callBytesMax = 128 * 1024 * 1024;
/** Of one client: pushes of one machine send several parts at once. */
const clientCallBytesMax = 112 * 1024 * 1024;
/** The same for replies that are made whole: twelve of the largest manifests, or some two hundred long lists. */
const replyBytesMax = 48 * 1024 * 1024;

/** Memory of bodies that are whole in it; shared by all listeners of a process. The sources are `sourceOf` the client's address. */
export interface WholeBodies {
  /** Manifests, forms and JSON on their way in, until the reply is out. */
  readonly requests: FairMemory;
  /** Calls of the AWS APIs on their way in, until the reply is out. */
  readonly calls: FairMemory;
  /** Manifests, lists and pages on their way out. */
  readonly replies: FairMemory;
  /** The memory itself, of those on their way in. */
  readonly blocks: BodyBlocks;
}

export function createWholeBodies(timer: Timer): WholeBodies {
  const now = (): number => timer.elapsed();
  const memory = (maxBytes: number, problem: string): FairMemory =>
    new FairMemory({
      maxBytes,
      now,
      full: () => new RegistryError('unavailable', problem, { retryAfterMs: 1000 }),
    });
  return {
    requests: memory(requestBytesMax, 'too many request bodies are being read'),
    calls: new FairMemory({
      maxBytes: callBytesMax,
      sourceMaxBytes: clientCallBytesMax,
      now,
      full: () => new RegistryError('tooManyRequests', 'Rate exceeded', { retryAfterMs: 1000 }),
    }),
    blocks: new BodyBlocks(timer),
    replies: memory(replyBytesMax, 'too many long replies are being sent'),
  };
}
