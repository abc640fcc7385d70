import { LRUCache } from 'lru-cache';
import type { Reference } from '../../domain/names/reference.ts';
import type { FailureKind, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Clock } from '../../ports/clock.ts';
import { sizeOfKey } from './memory-size.ts';
import type { PullRequest } from '../pull-request.ts';
import { ruledKey } from '../pull-request.ts';

const bytesMax = 1024 * 1024;
const messageCharactersMax = 1000;

/** What upstream last refused a pull with. */
export interface LastTry {
  /** Wall time, ms. */
  readonly at: number;
  readonly kind: FailureKind;
  readonly message: string;
  /** Until then pulls are refused without asking again; wall time, ms. Absent where the next one asks. */
  readonly nextAt: number | undefined;
}

/** The last pulls of manifests that failed upstream, for who wants to know why; pulls themselves ask the negative memory. */
export interface LastTries {
  /** `restMs`: for how long upstream's answer is believed. */
  readonly note: (
    request: PullRequest,
    reference: Reference,
    failure: UpstreamFailure,
    restMs: number,
  ) => void;
  readonly find: (request: PullRequest, reference: Reference) => LastTry | undefined;
}

export function createLastTries(clock: Clock): LastTries {
  const tries = new LRUCache<string, LastTry>({
    maxSize: bytesMax,
    sizeCalculation: ({ message }, key) => sizeOfKey(key) + sizeOfKey(message),
  });
  return {
    note: (request, reference, { kind, message }, restMs) => {
      const at = clock.now();
      tries.set(ruledKey(request, subjectOf(reference)), {
        at,
        kind,
        message: message.slice(0, messageCharactersMax),
        nextAt: restMs > 0 ? at + restMs : undefined,
      });
    },
    find: (request, reference) => tries.get(ruledKey(request, subjectOf(reference))),
  };
}

function subjectOf(reference: Reference): string {
  return reference.kind === 'tag' ? reference.tag : reference.digest;
}
