import type { Clock } from '../ports/clock.ts';

/**
 * One running job per key, any number of waiters. The job belongs to nobody who waits: a waiter's signal ends the waiting, not
 * the job, and a failure reaches every waiter.
 */
export class SingleFlight<T> {
  readonly #running = new Map<string, Flight<T>>();

  /** Joins the running job of the key or starts one; `joined` says which. */
  join(key: string, start: () => Promise<T>): Flight<T> & { readonly joined: boolean } {
    const running = this.#running.get(key);
    if (running !== undefined) return { promise: running.promise, joined: true };
    const promise = start().finally(() => this.#running.delete(key));
    promise.catch(() => {});
    this.#running.set(key, { promise });
    return { promise, joined: false };
  }

  get size(): number {
    return this.#running.size;
  }
}

export interface Flight<T> {
  readonly promise: Promise<T>;
}

/** Waits for a promise no longer than the signal allows; the promise itself goes on. */
export function waitUnder<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    // Nobody else may be waiting for it: its failure is told by the signal.
    promise.catch(() => undefined);
    return Promise.reject(abortReason(signal));
  }
  return new Promise<T>((resolve, reject) => {
    const leave = (): void => reject(abortReason(signal));
    signal.addEventListener('abort', leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}

/** The promise's value, or `undefined` when the time is over first; the promise itself goes on. */
export async function waitWithin<T>(
  promise: Promise<T>,
  ms: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<T | undefined> {
  const { promise: over, resolve: end } = Promise.withResolvers<undefined>();
  using _timer = clock.after(Math.max(0, ms), () => end(undefined));
  return await waitUnder(Promise.race([promise, over]), signal);
}

function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error
    ? signal.reason
    : new Error('aborted', { cause: signal.reason });
}
