import type { Clock } from '../ports/clock.ts';

/** A supervisor and its wrapper may both pass one signal on; within this time they count once. */
const sameSignalMs = 300;

export interface StopSignals extends Disposable {
  /** Resolves with the first SIGTERM or SIGINT. */
  readonly asked: Promise<NodeJS.Signals>;
}

/** Waits for SIGTERM or SIGINT; a second one ends the process at once through `now`. */
export function listenForStop(clock: Clock, now: (signal: NodeJS.Signals) => void): StopSignals {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let first: number | undefined;
  const on = (signal: NodeJS.Signals): void => {
    if (first === undefined) {
      first = clock.elapsed();
      resolve(signal);
    } else if (clock.elapsed() - first > sameSignalMs) {
      now(signal);
    }
  };
  process.on('SIGTERM', on);
  process.on('SIGINT', on);
  return {
    asked: promise,
    [Symbol.dispose]: () => {
      process.off('SIGTERM', on);
      process.off('SIGINT', on);
    },
  };
}

/** Resolves after `ms`; keeps the process alive meanwhile. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
