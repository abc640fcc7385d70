import { RegistryError } from '../../domain/errors.ts';
import type { Clock } from '../../ports/clock.ts';

/** Whose turn it is with one upload: one request's at a time, in the order of their coming. */
export interface UploadTurn {
  readonly taken: boolean;
  /** Resolves when it is the caller's turn; false once the upload is gone. Throws `unavailable` when the wait is too long. */
  take(signal: AbortSignal): Promise<boolean>;
  release(): void;
  /** The upload is gone: whoever waits, or comes later, is told so. */
  end(): void;
}

const waitMsMax = 10_000;
const retryAfterMs = 1000;

export function createUploadTurn(clock: Clock): UploadTurn {
  const waiting = new Set<PromiseWithResolvers<boolean>>();
  let taken = false;
  let ended = false;

  const wait = async (signal: AbortSignal): Promise<boolean> => {
    const mine = Promise.withResolvers<boolean>();
    // Out of the queue in the same step: a turn given to one who left would be lost.
    const leave = (reason: unknown): void => {
      if (waiting.delete(mine)) mine.reject(reason);
    };
    const aborted = (): void => leave(signal.reason);
    const tooLong = 'Another request has had this upload for 10 seconds; try again when it is done';
    using _due = clock.after(waitMsMax, () =>
      leave(new RegistryError('unavailable', tooLong, { retryAfterMs })),
    );
    signal.addEventListener('abort', aborted, { once: true });
    waiting.add(mine);
    try {
      return await mine.promise;
    } finally {
      signal.removeEventListener('abort', aborted);
    }
  };

  return {
    get taken() {
      return taken;
    },
    take: async (signal) => {
      signal.throwIfAborted();
      if (ended) return false;
      if (taken) return wait(signal);
      taken = true;
      return true;
    },
    release: () => {
      const [next] = waiting;
      if (next === undefined) {
        taken = false;
        return;
      }
      waiting.delete(next);
      next.resolve(true);
    },
    end: () => {
      ended = true;
      for (const one of waiting) one.resolve(false);
      waiting.clear();
    },
  };
}
