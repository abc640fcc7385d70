import { repeat } from '../../coordination/repeat.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../telemetry/log.ts';

const everyMs = 60_000;
/** NTP slews less by itself; what is more was set. */
const stepMs = 5000;

/**
 * Tells the log when the wall clock was set, since the times of log and audit jump there. A machine that slept looks like one
 * whose clock was set forward. Disposing ends it.
 */
export function tellClockSteps(clock: Clock, log: Pick<Log, 'info' | 'warn'>): Disposable {
  const apart = (): number => clock.now() - clock.elapsed();
  let before = apart();
  const look = (): void => {
    const step = apart() - before;
    before += step;
    const seconds = Math.round(Math.abs(step) / 1000);
    if (step <= -stepMs)
      log.warn('the clock was set back: times in the log and the audit begin again there', {
        seconds,
      });
    else if (step >= stepMs)
      log.info('the clock was set forward, or the machine slept', { seconds });
  };
  return repeat(clock, everyMs, look);
}
