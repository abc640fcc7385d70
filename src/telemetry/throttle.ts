import type { Clock } from '../ports/clock.ts';
import type { Log, LogFields, LogLevel } from './log.ts';

const onceInMs = 10_000;
const keysMax = 1000;

/** Logs the first line of a key at once, then one in 10 s, or in `everyMs`, with how many there were: an outage is not told once a request. */
export function createThrottle(
  log: Log,
  clock: Clock,
  everyMs: number = onceInMs,
): (key: string, level: LogLevel, message: string, fields: LogFields) => void {
  const told = new Map<string, { at: number; unsaid: number }>();
  return (key, level, message, fields) => {
    const now = clock.elapsed();
    const last = told.get(key);
    if (last && now - last.at < everyMs) {
      last.unsaid += 1;
      return;
    }
    if (!last && told.size >= keysMax) {
      const oldest = told.keys().next();
      if (!oldest.done) told.delete(oldest.value);
    }
    told.delete(key);
    told.set(key, { at: now, unsaid: 0 });
    log[level](message, last && last.unsaid > 0 ? { ...fields, repeated: last.unsaid } : fields);
  };
}
