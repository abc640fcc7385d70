import type { Clock } from '../../ports/clock.ts';

/** Milliseconds (ARCHITECTURE.md, "Numbers and statuses"). `connect` covers DNS and TLS. */
export const deadlinesMs = {
  dns: 2000,
  connect: 5000,
  firstByte: 10_000,
  blobFirstByte: 30_000,
  /** Of a blob that a client waits for, until a connection to its host comes free: 60 to 120 s. */
  laneStep: 60_000,
  idle: 30_000,
  /** A manifest, a page of tags or of referrers, from the first step to the last byte. */
  whole: 30_000,
  wholeToken: 15_000,
  errorBody: 5000,
} as const;

/** A signal that ends with its parent, or with `reason` after `ms`. Dispose it when the waited-for thing is over. */
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

/** Resolves after `ms`; throws the signal's reason. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const over = Promise.withResolvers<void>();
  const aborted = (): void => over.reject(signal.reason);
  signal.addEventListener('abort', aborted, { once: true });
  using _timer = clock.after(ms, () => over.resolve());
  try {
    await over.promise;
  } finally {
    signal.removeEventListener('abort', aborted);
  }
}
