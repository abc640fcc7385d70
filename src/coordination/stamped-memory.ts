import { LRUCache } from 'lru-cache';
import type { Clock } from '../ports/clock.ts';
import type { MemoryBound } from './memory-bound.ts';
import { limitsOf } from './memory-bound.ts';

interface Stamped<Value> {
  readonly value: Value;
  readonly stamp: number;
  /** Monotonic ms. */
  readonly until: number;
}

export type StampedMemoryOptions<Value> = MemoryBound<Value> & {
  /** How long a value is believed, whatever its stamp, in ms: a change that was not noted is seen after it. */
  readonly believeMs: number;
};

/**
 * Values that are believed under a stamp: a number that whoever changes what they were read from replaces. The stamp is taken
 * before the value is read or written, so that what changed meanwhile is not believed.
 */
export class StampedMemory<Value extends NonNullable<unknown>> {
  readonly #clock: Pick<Clock, 'elapsed'>;
  readonly #believeMs: number;
  readonly #entries: LRUCache<string, Stamped<Value>>;

  constructor(clock: Pick<Clock, 'elapsed'>, options: StampedMemoryOptions<Value>) {
    this.#clock = clock;
    this.#believeMs = options.believeMs;
    this.#entries = new LRUCache(limitsOf<Value, Stamped<Value>>(options));
  }

  /** The value, where it was set under this stamp. `now` (monotonic ms): for who has looked at the clock. */
  get(key: string, stamp: number, now: number = this.#clock.elapsed()): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry?.stamp !== stamp || entry.until <= now) return undefined;
    return entry.value;
  }

  /** The value that was set under this stamp, however long ago: for where nothing newer can be read. */
  last(key: string, stamp: number): Value | undefined {
    const entry = this.#entries.get(key);
    return entry?.stamp === stamp ? entry.value : undefined;
  }

  set(key: string, value: Value, stamp: number): void {
    this.#entries.set(key, { value, stamp, until: this.#clock.elapsed() + this.#believeMs });
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }
}
