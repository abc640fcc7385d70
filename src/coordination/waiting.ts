import type { Clock } from '../ports/clock.ts';

/** Waits for a promise no longer than the signal allows; the promise itself goes on. Throws the signal's reason. */
export function waitUnder<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    // Nobody else may be waiting for it: the signal's reason stands for its failure.
    promise.catch(() => undefined);
    return Promise.reject(reasonOf(signal));
  }
  return new Promise<T>((resolve, reject) => {
    const leave = (): void => reject(reasonOf(signal));
    signal.addEventListener('abort', leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}

/** The promise's value, or `undefined` when the time is over first; the promise itself goes on. Throws the signal's reason. */
export async function waitWithin<T>(
  promise: Promise<T>,
  ms: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<T | undefined> {
  const { promise: over, resolve: end } = Promise.withResolvers<undefined>();
  using _timer = clock.after(Math.max(0, ms), () => end(undefined));
  const first = Promise.race([promise, over]);
  return await (signal === undefined ? first : waitUnder(first, signal));
}

/** Resolves after `ms`; throws the signal's reason. */
export async function pause(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  using _timer = clock.after(ms, end);
  await waitUnder(over, signal);
}

/** A signal that ends with its parent, or with `reason` after `ms`. Dispose it when what was waited for is over. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

export function startDeadline(
  clock: Clock,
  ms: number,
  reason: () => Error,
  parent: AbortSignal,
): Deadline {
  const controller = new AbortController();
  const follow = (): void => controller.abort(parent.reason);
  if (parent.aborted) follow();
  parent.addEventListener('abort', follow, { once: true });
  const timer = clock.after(ms, () => controller.abort(reason()));
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      timer[Symbol.dispose]();
      parent.removeEventListener('abort', follow);
    },
  };
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error
    ? signal.reason
    : new Error('aborted', { cause: signal.reason });
}
