import type { Clock } from '../../ports/clock.ts';

export type BreakerState = 'closed' | 'open' | 'half-open';

/** Leave to ask once. Exactly one of the three is called; further calls change nothing. */
export interface Pass {
  succeeded(): void;
  failed(): void;
  /** Neither: the caller went away, or the failure is not the host's. */
  abandoned(): void;
}

export interface Breaker {
  readonly state: BreakerState;
  /** How long it is not asked at all, in ms; 0 where the next request is let through. */
  readonly restMs: number;
  /** A pass, or the milliseconds to stay away. */
  enter(): Pass | number;
  reset(): void;
}

const failuresMax = 5;
const firstRestMs = 1000;
const restMsMax = 30_000;

/** Opens after 5 consecutive failures, for 1 s doubling to 30 s; then one probe decides (ARCHITECTURE.md, "Numbers and statuses"). */
export function createBreaker(clock: Clock, changed: (state: BreakerState) => void): Breaker {
  let state: BreakerState = 'closed';
  let failures = 0;
  let restMs = firstRestMs;
  let openUntil = 0;
  let generation = 0;

  const become = (next: BreakerState): void => {
    if (state === next) return;
    state = next;
    changed(next);
  };
  const close = (): void => {
    failures = 0;
    restMs = firstRestMs;
    become('closed');
  };
  const open = (): void => {
    generation += 1;
    openUntil = clock.elapsed() + restMs;
    restMs = Math.min(restMs * 2, restMsMax);
    become('open');
  };
  const rest = (): number => Math.max(0, openUntil - clock.elapsed());
  const pass = (probe: boolean): Pass => {
    const since = generation;
    let isOver = false;
    const once = (act: () => void) => () => {
      if (isOver) return;
      isOver = true;
      act();
    };
    return {
      succeeded: once(close),
      failed: once(() => {
        if (since !== generation) return;
        if (probe) open();
        else if (state === 'closed') {
          failures += 1;
          if (failures >= failuresMax) open();
        }
      }),
      abandoned: once(() => {
        if (probe && since === generation) become('open');
      }),
    };
  };

  return {
    get state() {
      return state;
    },
    get restMs() {
      return state === 'open' ? rest() : 0;
    },
    enter() {
      if (state === 'closed') return pass(false);
      if (state === 'half-open') return firstRestMs;
      const leftMs = rest();
      if (leftMs > 0) return leftMs;
      become('half-open');
      return pass(true);
    },
    reset() {
      generation += 1;
      close();
    },
  };
}
