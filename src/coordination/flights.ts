import type { Clock } from '../ports/clock.ts';
import { waitUnder } from './waiting.ts';

/** A piece of work as its own function sees it. */
export interface Flight {
  /** Monotonic ms. */
  readonly startedAt: number;
  /** True once it was forgotten: its result may be older than a change, and is only for those who joined before. */
  readonly forgotten: boolean;
  /** Aborts when the last who shared it has left. */
  readonly signal: AbortSignal;
}

/** The function that does it. */
export type FlightWork<T> = (flight: Flight) => Promise<T>;

/** One's part in a piece of work. */
export interface Joined<T> {
  readonly promise: Promise<T>;
  /** Monotonic ms of its beginning, which may be before this one came. */
  readonly startedAt: number;
  /** Somebody else had begun it. */
  readonly joined: boolean;
}

class RunningFlight<T> implements Flight {
  readonly startedAt: number;
  forgotten = false;
  waiters = 0;
  readonly controller: AbortController = new AbortController();
  readonly promise: Promise<T>;

  constructor(startedAt: number, work: FlightWork<T>, landed: (flight: RunningFlight<T>) => void) {
    this.startedAt = startedAt;
    this.promise = work(this).finally(() => landed(this));
    // Nobody may wait for it by now; who does gets its failure from `promise`.
    this.promise.catch(() => undefined);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }
}

/** Work under way, once for each key: whoever asks meanwhile shares the result, or the failure. */
export class Flights<T> {
  readonly #clock: Pick<Clock, 'elapsed'>;
  readonly #running = new Map<string, RunningFlight<T>>();

  constructor(clock: Pick<Clock, 'elapsed'>) {
    this.#clock = clock;
  }

  /** Joins the key's work or starts it. It belongs to nobody and runs to its end; who can't wait so long waits by `waitUnder`. */
  join(key: string, work: FlightWork<T>): Joined<T> {
    const known = this.#running.get(key);
    const { promise, startedAt } = known ?? this.#start(key, work);
    return { promise, startedAt, joined: known !== undefined };
  }

  /** The same for work that is of no use without somebody who waits: each leaves by their own signal, and with the last it is aborted. */
  async share(key: string, work: FlightWork<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const flight = this.#running.get(key) ?? this.#start(key, work);
    flight.waiters += 1;
    try {
      return await waitUnder(flight.promise, signal);
    } finally {
      flight.waiters -= 1;
      if (flight.waiters === 0) {
        // Nothing happens where it has ended; a newcomer must not join what is being aborted.
        this.#leave(key, flight);
        flight.controller.abort(new Error('nobody waits any more'));
      }
    }
  }

  /** Who asks from now on starts the work anew. */
  forget(key: string): void {
    const flight = this.#running.get(key);
    if (flight !== undefined) this.#leave(key, flight);
  }

  clear(): void {
    for (const [key, flight] of this.#running) this.#leave(key, flight);
  }

  #start(key: string, work: FlightWork<T>): RunningFlight<T> {
    const flight = new RunningFlight<T>(this.#clock.elapsed(), work, (landed) =>
      this.#leave(key, landed),
    );
    this.#running.set(key, flight);
    return flight;
  }

  #leave(key: string, flight: RunningFlight<T>): void {
    flight.forgotten = true;
    if (this.#running.get(key) === flight) this.#running.delete(key);
  }
}
