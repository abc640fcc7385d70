import type { Clock } from '../ports/clock.ts';

export interface TurnsOptions {
  /** How many of one key have their turn at a time. */
  readonly atOnce: number;
  /** How long one waits for it; absent: for as long as its signal lets it. */
  readonly patience?: Patience;
}

interface Patience {
  readonly ms: number;
  /** Makes what is thrown then. */
  readonly late: (key: string) => Error;
}

type Waiter = PromiseWithResolvers<Disposable>;

interface Queue {
  readonly key: string;
  running: number;
  readonly waiting: Set<Waiter>;
  /** Those who come after all others. */
  readonly last: Set<Waiter>;
}

/**
 * Lets so many of a key go at once; the others wait, in the order of their coming. A turn ends when it is disposed, once however
 * often, and is the next one's in the same step.
 */
export class Turns {
  readonly #clock: Clock;
  readonly #options: TurnsOptions;
  /** Of the keys that somebody has a turn of. */
  readonly #queues = new Map<string, Queue>();

  constructor(clock: Clock, options: TurnsOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** How many have their turn. */
  running(key: string): number {
    return this.#queues.get(key)?.running ?? 0;
  }

  waiting(key: string): number {
    const queue = this.#queues.get(key);
    return queue === undefined ? 0 : queue.waiting.size + queue.last.size;
  }

  /** The next one would have to wait. */
  isFull(key: string): boolean {
    return this.running(key) >= this.#options.atOnce;
  }

  /** Resolves when it is the caller's turn. Throws the signal's reason, or what `late` makes. */
  async take(key: string, signal: AbortSignal): Promise<Disposable> {
    return await this.#enter(key, 'waiting', this.#options.patience, signal);
  }

  /** The same behind all who call `take`, also later, and however long that is. */
  async takeLast(key: string, signal: AbortSignal): Promise<Disposable> {
    return await this.#enter(key, 'last', undefined, signal);
  }

  /** Whoever waits for the key's turn gets the error instead. */
  refuse(key: string, error: Error): void {
    const queue = this.#queues.get(key);
    if (queue === undefined) return;
    for (const line of [queue.waiting, queue.last]) {
      for (const one of line) one.reject(error);
      line.clear();
    }
  }

  #enter(
    key: string,
    line: 'waiting' | 'last',
    patience: Patience | undefined,
    signal: AbortSignal,
  ): Disposable | Promise<Disposable> {
    signal.throwIfAborted();
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = { key, running: 0, waiting: new Set(), last: new Set() };
      this.#queues.set(key, queue);
    }
    if (queue.running < this.#options.atOnce) return this.#begin(queue);
    return this.#wait(key, queue[line], patience, signal);
  }

  async #wait(
    key: string,
    line: Set<Waiter>,
    patience: Patience | undefined,
    signal: AbortSignal,
  ): Promise<Disposable> {
    const mine = Promise.withResolvers<Disposable>();
    // Out of the line in the same step: a turn that is given to one who left would be lost.
    const leave = (reason: unknown): void => {
      if (line.delete(mine)) mine.reject(reason);
    };
    const aborted = (): void => leave(signal.reason);
    using _late = patience && this.#clock.after(patience.ms, () => leave(patience.late(key)));
    signal.addEventListener('abort', aborted, { once: true });
    line.add(mine);
    try {
      return await mine.promise;
    } finally {
      signal.removeEventListener('abort', aborted);
    }
  }

  #begin(queue: Queue): Disposable {
    queue.running += 1;
    let ended = false;
    return {
      [Symbol.dispose]: () => {
        if (ended) return;
        ended = true;
        this.#end(queue);
      },
    };
  }

  #end(queue: Queue): void {
    queue.running -= 1;
    for (const line of [queue.waiting, queue.last]) {
      const [next] = line;
      if (next === undefined) continue;
      line.delete(next);
      next.resolve(this.#begin(queue));
      return;
    }
    if (queue.running === 0) this.#queues.delete(queue.key);
  }
}
