import type { Clock } from '../ports/clock.ts';
import type { Flight } from './flights.ts';
import { Flights } from './flights.ts';
import type { MemoryBound } from './memory-bound.ts';
import { TimedMemory } from './timed-memory.ts';

/** `Read` is what a read answers; `undefined`, where there is nothing, is not remembered. */
export interface ReadMemoryOptions<Read> {
  readonly bound: MemoryBound<NonNullable<Read>>;
  /** How long a value is believed from the beginning of its read, in ms. */
  readonly believeMs: number;
  /** Who remembers something itself looks at `flight.forgotten` first. */
  readonly read: (key: string, flight: Flight) => Promise<Read>;
  /** Whether a value may be kept; one that may not is read each time. */
  readonly keeps?: (key: string, value: NonNullable<Read>) => boolean;
}

/** Values that are read where they are not known, believed for a while; one read at a time for each key. */
export class ReadMemory<Read> {
  readonly #clock: Pick<Clock, 'elapsed'>;
  readonly #options: ReadMemoryOptions<Read>;
  readonly #known: TimedMemory<NonNullable<Read>>;
  readonly #reads: Flights<Read>;

  constructor(clock: Pick<Clock, 'elapsed'>, options: ReadMemoryOptions<Read>) {
    this.#clock = clock;
    this.#options = options;
    this.#known = new TimedMemory(clock, options.bound);
    this.#reads = new Flights(clock);
  }

  /** At once where the value is believed. */
  get(key: string): NonNullable<Read> | Promise<Read> {
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

  #read(key: string): Promise<Read> {
    const { read, keeps, believeMs } = this.#options;
    const { promise } = this.#reads.join(key, async (flight) => {
      const value = await read(key, flight);
      if (value === undefined || value === null || flight.forgotten) return value;
      const tookMs = this.#clock.elapsed() - flight.startedAt;
      if (keeps?.(key, value) !== false) this.#known.set(key, value, believeMs - tookMs);
      return value;
    });
    return promise;
  }
}
