import type { Clock } from '../../../src/ports/clock.ts';

/** A clock that stands still until it is turned by hand. */
export interface FakeClock extends Clock {
  /** Moves both times on and calls what came due, in order of time; what a callback sets is called too if it comes due. */
  advance(ms: number): void;
  /** Moves the wall time alone, as an operator or NTP does. */
  setNow(now: number): void;
  /** How many timers wait. */
  readonly pending: number;
}

export function createFakeClock(now: number = Date.UTC(2026, 0, 1)): FakeClock {
  let wall = now;
  let elapsed = 0;
  let order = 0;
  const timers = new Map<number, { readonly at: number; readonly callback: () => void }>();

  const earliest = (until: number): number | undefined => {
    let best: number | undefined;
    for (const [id, { at }] of timers) {
      if (at <= until && (best === undefined || at < timers.get(best)!.at)) best = id;
    }
    return best;
  };
  const moveTo = (time: number): void => {
    wall += time - elapsed;
    elapsed = time;
  };

  return {
    now: () => wall,
    elapsed: () => elapsed,
    after: (ms, callback) => {
      order += 1;
      const id = order;
      timers.set(id, { at: elapsed + Math.max(0, ms), callback });
      return { [Symbol.dispose]: () => void timers.delete(id) };
    },
    advance: (ms) => {
      const until = elapsed + ms;
      for (let id = earliest(until); id !== undefined; id = earliest(until)) {
        const { at, callback } = timers.get(id)!;
        timers.delete(id);
        moveTo(at);
        callback();
      }
      moveTo(until);
    },
    setNow: (value) => {
      wall = value;
    },
    get pending() {
      return timers.size;
    },
  };
}
