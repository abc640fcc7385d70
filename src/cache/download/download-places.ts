import { RegistryError } from '../../domain/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import { waitUnder } from '../../coordination/waiting.ts';

const turnWaitMs = 10_000;

/** How many downloads run at once, counted by upstream: one that hangs leaves the others theirs. */
export interface DownloadPlaces {
  /**
   * A place of this upstream, in the order of asking. Throws `unavailable` after 10 s; a background fill waits for as long as
   * its signal lets it, behind all who don't.
   */
  take(upstream: string, background: boolean, signal: AbortSignal): Promise<Disposable>;
}

interface Waiter {
  readonly background: boolean;
  admit(): void;
}

interface Counter {
  taken: number;
  readonly waiters: Set<Waiter>;
}

/** `crowded` is called when somebody has to wait for whom a background fill could make room. */
export function createDownloadPlaces(
  parts: { readonly clock: Clock; readonly events: Events },
  placesMax: number,
  crowded: (upstream: string) => void,
): DownloadPlaces {
  const counters = new Map<string, Counter>();

  function counterOf(upstream: string): Counter {
    let counter = counters.get(upstream);
    if (counter === undefined) {
      counter = { taken: 0, waiters: new Set() };
      counters.set(upstream, counter);
    }
    return counter;
  }

  function settle(upstream: string, counter: Counter): void {
    while (counter.taken < placesMax) {
      const waiting = [...counter.waiters];
      const next = waiting.find((one) => !one.background) ?? waiting[0];
      if (next === undefined) break;
      counter.waiters.delete(next);
      next.admit();
    }
    if (counter.taken === 0 && counter.waiters.size === 0 && counters.get(upstream) === counter)
      counters.delete(upstream);
  }

  function place(upstream: string, counter: Counter): Disposable {
    counter.taken += 1;
    let freed = false;
    return {
      [Symbol.dispose]() {
        if (freed) return;
        freed = true;
        counter.taken -= 1;
        settle(upstream, counter);
      },
    };
  }

  return {
    async take(upstream, background, signal) {
      signal.throwIfAborted();
      const counter = counterOf(upstream);
      if (counter.taken < placesMax && counter.waiters.size === 0) return place(upstream, counter);
      const { promise, resolve, reject } = Promise.withResolvers<Disposable>();
      let admitted: Disposable | undefined;
      const waiter: Waiter = {
        background,
        admit: () => resolve((admitted = place(upstream, counter))),
      };
      counter.waiters.add(waiter);
      using _timer = background
        ? undefined
        : parts.clock.after(turnWaitMs, () => reject(tooMany(upstream, placesMax)));
      if (!background) {
        parts.events.emit({ type: 'throttled', upstream, reason: 'downloads' });
        crowded(upstream);
      }
      try {
        return await waitUnder(promise, signal);
      } catch (error) {
        // The place came while its waiter was leaving: the next one has it.
        admitted?.[Symbol.dispose]();
        counter.waiters.delete(waiter);
        settle(upstream, counter);
        throw error;
      }
    },
  };
}

function tooMany(upstream: string, placesMax: number): RegistryError {
  return new RegistryError('unavailable', 'too many downloads are under way', {
    detail: { limit: 'limits.downloads', value: placesMax, upstream },
    retryAfterMs: turnWaitMs,
  });
}
