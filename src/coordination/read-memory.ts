import type { Clock } from '../ports/clock.ts';
import { Flights } from './flights.ts';
import type { MemoryBound } from './memory-bound.ts';
import { TimedMemory } from './timed-memory.ts';

export interface ReadMemoryOptions<Value> {
  readonly bound: MemoryBound<Value>;
  /** How long a value is believed from the beginning of its read, in ms. */
  readonly believeMs: number;
  /** `undefined`, where there is nothing, is not remembered. */
  readonly read: (key: string) => Promise<Value | undefined>;
  /** Whether a value may be kept; one that may not is read each time. */
  readonly keeps?: (key: string, value: Value) => boolean;
}

/** Values that are read where they are not known, believed for a while; one read at a time for each key. */
export class ReadMemory<Value extends NonNullable<unknown>> {
  readonly #clock: Pick<Clock, 'elapsed'>;
  readonly #options: ReadMemoryOptions<Value>;
  readonly #known: TimedMemory<Value>;
  readonly #reads: Flights<Value | undefined>;

  constructor(clock: Pick<Clock, 'elapsed'>, options: ReadMemoryOptions<Value>) {
    this.#clock = clock;
    this.#options = options;
    this.#known = new TimedMemory(clock, options.bound);
    this.#reads = new Flights(clock);
  }

  /** At once where the value is believed. */
  get(key: string): Value | Promise<Value | undefined> {
    return this.#known.get(key) ?? this.#read(key);
  }

  /** What is being read at this moment is not kept either: the change may be younger. */
  forget(key: string): void {
    this.#known.forget(key);
    this.#reads.forget(key);
  }

  clear(): void {
    this.#known.clear();
    this.#reads.clear();
  }

  #read(key: string): Promise<Value | undefined> {
    const { read, keeps, believeMs } = this.#options;
    const { promise } = this.#reads.join(key, async (flight) => {
      const value = await read(key);
      const isKept = value !== undefined && !flight.forgotten && keeps?.(key, value) !== false;
      const tookMs = this.#clock.elapsed() - flight.startedAt;
      if (isKept) this.#known.set(key, value, believeMs - tookMs);
      return value;
    });
    return promise;
  }
}
