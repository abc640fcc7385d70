import { TimedMemory } from '../coordination/timed-memory.ts';
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
  const told = new TimedMemory<{ unsaid: number }>(clock, { entriesMax: keysMax });
  return (key, level, message, fields) => {
    const last = told.get(key);
    if (last !== undefined) {
      last.unsaid += 1;
      return;
    }
    const unsaid = told.last(key)?.unsaid ?? 0;
    told.set(key, { unsaid: 0 }, everyMs);
    log[level](message, unsaid > 0 ? { ...fields, repeated: unsaid } : fields);
  };
}
