import { performance } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { repeat } from '../coordination/repeat.ts';
import type { Clock } from '../ports/clock.ts';

/** How often is looked whether there is nothing to do, and the share of that time which counts as nothing. */
const lookMs = 1000;
const idleShare = 0.05;
/** Heap that has come since the last collection and is worth one. */
const worthBytes = 4 * 1024 * 1024;
/** A collection is no more than this share of the time since the last one. */
const costShare = 0.01;

export interface IdleMemoryOptions {
  readonly clock: Clock;
  /** Collects what it can and gives the memory back; absent where Node was started without `--expose-gc`. */
  readonly collect: (() => void) | undefined;
  /** The share of the time since the last call in which the event loop was busy. */
  readonly busyShare: () => number;
  readonly heapBytes: () => number;
}

/**
 * V8 collects as its heap fills, and a server that has nothing to do fills nothing: what its start or a burst of requests left
 * behind would stay resident for as long as it idles. So it is collected once the event loop has been idle.
 */
export function collectWhenIdle(options: IdleMemoryOptions): Disposable {
  const { clock, collect, busyShare, heapBytes } = options;
  if (collect === undefined) return { [Symbol.dispose]: () => undefined };
  let kept = 0;
  let notBefore = 0;
  const look = (): void => {
    const begun = clock.elapsed();
    if (busyShare() < idleShare && begun >= notBefore && heapBytes() >= kept + worthBytes) {
      collect();
      kept = heapBytes();
      const ended = clock.elapsed();
      notBefore = ended + (ended - begun) / costShare;
      // The collection itself is nothing to do.
      busyShare();
    }
  };
  return repeat(clock, lookMs, look);
}

/** Of this process. */
export function processMemory(): Omit<IdleMemoryOptions, 'clock'> {
  const { gc } = globalThis;
  let last = performance.eventLoopUtilization();
  return {
    collect: gc && (() => gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })),
    busyShare: () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    heapBytes: () => getHeapStatistics().total_heap_size,
  };
}

/**
 * Threads made from now on get a young generation of 2 MB. Without it theirs grows as large as the main thread's, which the
 * command line set: V8 takes the flag before a thread's own `resourceLimits`.
 */
export function keepThreadsSmall(): void {
  setFlagsFromString('--max-semi-space-size=1');
}
