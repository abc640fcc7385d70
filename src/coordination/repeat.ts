import type { Clock } from '../ports/clock.ts';

/** Calls `work` after `firstMs`, then `everyMs` after each call, until it is disposed. */
export function repeat(
  clock: Pick<Clock, 'after'>,
  everyMs: number,
  work: () => void,
  firstMs: number = everyMs,
): Disposable {
  const later = (ms: number): Disposable =>
    clock.after(ms, () => {
      timer = later(everyMs);
      work();
    });
  let timer = later(firstMs);
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}
