import { readlinkSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/** Steps of niceness: beside a busy thread that has none, a quarter of a core is left, so that what goes last still ends soon. */
const stepsBack = 5;
const nicest = 19;

/**
 * Puts the calling thread behind all others, for as long as it lives: where a core is short it waits for them, and they hardly for
 * it. Linux alone has a priority for each thread; elsewhere, or where it may not be set, nothing changes.
 */
export function letOthersGoFirst(): void {
  try {
    const [pid, , thread] = readlinkSync('/proc/thread-self').split('/');
    // In a /proc that is not of our own namespace of processes, the number would be somebody else's.
    if (Number(pid) !== process.pid) return;
    setPriority(Number(thread), Math.min(nicest, getPriority(Number(thread)) + stepsBack));
  } catch {
    // No such file, or a system that doesn't allow it.
  }
}
