import { RegistryError } from '../../domain/errors.ts';
import { FairMemory } from '../../coordination/fair-memory.ts';
import type { Timer } from '../timer.ts';

/** What request bodies that are read whole may hold together: sixteen of the largest manifests. */
const requestBytesMax = 64 * 1024 * 1024;
/** The same for replies that are made whole: twelve of the largest manifests, or some two hundred long lists. */
const replyBytesMax = 48 * 1024 * 1024;

/** Memory of bodies that are whole in it; shared by all listeners of a process. The sources are `sourceOf` the client's address. */
export interface WholeBodies {
  /** Manifests, forms and JSON on their way in, until the reply is out. */
  readonly requests: FairMemory;
  /** Manifests, lists and pages on their way out. */
  readonly replies: FairMemory;
}

export function createWholeBodies(timer: Timer): WholeBodies {
  const memory = (maxBytes: number, problem: string): FairMemory =>
    new FairMemory({
      maxBytes,
      now: () => timer.elapsed(),
      full: () => new RegistryError('unavailable', problem, { retryAfterMs: 1000 }),
    });
  return {
    requests: memory(requestBytesMax, 'too many request bodies are being read'),
    replies: memory(replyBytesMax, 'too many long replies are being sent'),
  };
}
