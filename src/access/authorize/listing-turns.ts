import { Turns } from '../../coordination/turns.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Clock } from '../../ports/clock.ts';

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
/** They all wait in one line. */
const line = '';

export function createListingTurns(
  clock: Clock,
  { atOnce, waitingMax, eachMax }: ListingTurnsOptions,
): ListingTurns {
  const turns = new Turns(clock, { atOnce });
  const askers = new Map<string, number>();
  return {
    async run(asker, signal, work) {
      const mine = askers.get(asker) ?? 0;
      if (mine >= eachMax || (turns.isFull(line) && turns.waiting(line) >= waitingMax))
        throw new RegistryError('tooManyRequests', 'too many listings at once', { retryAfterMs });
      askers.set(asker, mine + 1);
      try {
        using _turn = await turns.take(line, signal).catch(() => {
          throw clientLeft();
        });
        return await work();
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
