import { writeSync } from 'node:fs';
import type { Clock } from './ports/clock.ts';

/** A supervisor and its wrapper may both pass one signal on; within this time they count once. */
const sameSignalMs = 300;

export interface StopSignals extends Disposable {
  /** Resolves with the first signal. */
  readonly asked: Promise<NodeJS.Signals>;
}

/**
 * Waits for SIGTERM or SIGINT, or for the terminal that it was started on to close; a second one ends the process at once
 * through `now`.
 */
export function listenForStop(
  clock: Clock,
  isTerminal: boolean,
  now: (signal: NodeJS.Signals) => void,
): StopSignals {
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
  const onHangUp = (signal: NodeJS.Signals): void => {
    if (isTerminal && isTerminalGone()) on(signal);
  };
  process.on('SIGTERM', on);
  process.on('SIGINT', on);
  process.on('SIGHUP', onHangUp);
  return {
    asked: promise,
    [Symbol.dispose]: () => {
      process.off('SIGTERM', on);
      process.off('SIGINT', on);
      process.off('SIGHUP', onHangUp);
    },
  };
}

/** SIGHUP asks for a reload as well; only a closed terminal refuses to be written to. */
function isTerminalGone(): boolean {
  try {
    writeSync(1, '\r');
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code !== 'EAGAIN';
  }
}

/** Resolves after `ms`; keeps the process alive meanwhile. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
