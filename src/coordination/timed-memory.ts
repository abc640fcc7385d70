import { LRUCache } from 'lru-cache';
import type { Clock } from '../ports/clock.ts';
import type { MemoryBound } from './memory-bound.ts';
import { limitsOf } from './memory-bound.ts';

interface Timed<Value> {
  readonly value: Value;
  /** Monotonic ms. */
  until: number;
}

/** Values that are believed for a time each. A memory that is gone costs one more question, never a wrong answer. */
export class TimedMemory<Value extends NonNullable<unknown>> {
  readonly #clock: Pick<Clock, 'elapsed'>;
  readonly #entries: LRUCache<string, Timed<Value>>;

  constructor(clock: Pick<Clock, 'elapsed'>, bound: MemoryBound<Value>) {
    this.#clock = clock;
    this.#entries = new LRUCache(limitsOf<Value, Timed<Value>>(bound));
  }

  /** The value while it is believed. */
  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.until > this.#clock.elapsed() ? entry.value : undefined;
  }

  /** The value that was set last, believed or not. */
  last(key: string): Value | undefined {
    return this.#entries.get(key)?.value;
  }

  /** For how long the value is believed still, in ms; 0 where it is not. */
  leftMs(key: string): number {
    const entry = this.#entries.get(key);
    return entry === undefined ? 0 : Math.max(0, entry.until - this.#clock.elapsed());
  }

  set(key: string, value: Value, forMs: number): void {
    this.#entries.set(key, { value, until: this.#clock.elapsed() + forMs });
  }

  /** Believes nothing of the keys that begin so any longer; `last` still has it. */
  expire(keyStart: string): void {
    // In place: an entry that is set anew comes to the front, and the walk would meet it for ever.
    for (const [key, entry] of this.#entries.entries())
      if (key.startsWith(keyStart)) entry.until = 0;
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }
}
