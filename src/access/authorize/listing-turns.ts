import { RegistryError } from '../../domain/errors.ts';

/** Lets some pieces of work run at once, and some wait. */
export interface ListingTurns {
  /**
   * Runs `work` when its turn comes. Throws `tooManyRequests` where too many wait, of all or of this asker; `clientLeft` where the
   * signal aborts before.
   */
  run<T>(asker: string, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

export interface ListingTurnsOptions {
  readonly atOnce: number;
  readonly waitingMax: number;
  /** Running or waiting, of one asker. */
  readonly eachMax: number;
}

const retryAfterMs = 1000;

export function createListingTurns({
  atOnce,
  waitingMax,
  eachMax,
}: ListingTurnsOptions): ListingTurns {
  const waiting = new Set<() => void>();
  const askers = new Map<string, number>();
  let running = 0;

  const turn = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const begin = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        if (waiting.delete(begin)) reject(clientLeft());
      };
      waiting.add(begin);
      signal.addEventListener('abort', leave, { once: true });
    });
  /** The place of what has ended is the next one's. */
  const end = (): void => {
    const [next] = waiting;
    if (next === undefined) {
      running -= 1;
      return;
    }
    waiting.delete(next);
    next();
  };
  const begin = async (signal: AbortSignal): Promise<void> => {
    if (signal.aborted) throw clientLeft();
    if (running < atOnce) running += 1;
    else await turn(signal);
  };
  return {
    async run(asker, signal, work) {
      const mine = askers.get(asker) ?? 0;
      if (mine >= eachMax || (running >= atOnce && waiting.size >= waitingMax))
        throw new RegistryError('tooManyRequests', 'too many listings at once', { retryAfterMs });
      askers.set(asker, mine + 1);
      try {
        await begin(signal);
        try {
          return await work();
        } finally {
          end();
        }
      } finally {
        const left = (askers.get(asker) ?? 1) - 1;
        if (left === 0) askers.delete(asker);
        else askers.set(asker, left);
      }
    },
  };
}

export function clientLeft(): RegistryError {
  return new RegistryError('clientLeft', 'the client left before its list');
}
