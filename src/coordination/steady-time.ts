import type { Clock } from '../ports/clock.ts';

/** The wall time, ms since the epoch, as far as the process has run since: a clock that is set forward by mistake makes nothing old. */
export function createSteadyTime(clock: Pick<Clock, 'now' | 'elapsed'>): () => number {
  const beganAt = clock.now() - clock.elapsed();
  return () => Math.min(clock.now(), beganAt + clock.elapsed());
}
