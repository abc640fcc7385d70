import type { Log } from '../telemetry/log.ts';

/**
 * What no code caught. A promise that was rejected with nobody waiting broke no state that others hold: it is told, and the server goes
 * on, so that one request's fault ends no other's. An exception stopped its caller halfway, so that nothing may be believed any
 * more: it is told, and `end` ends the process with a status that a supervisor starts again; pushes and partials survive that as they
 * survive a `kill -9`.
 */
export function watchUnforeseenErrors(log: Log, end: () => void): Disposable {
  const rejected = (reason: unknown): void => {
    log.error(
      'a promise was rejected with nobody waiting; this is a fault of the server, please report it',
      {
        error: withCause(reason),
      },
    );
  };
  const thrown = (error: unknown): void => {
    log.error(
      'an error that nobody caught ends the server; this is a fault of it, please report it',
      {
        error: withCause(error),
      },
    );
    end();
  };
  process.on('unhandledRejection', rejected);
  process.on('uncaughtException', thrown);
  return {
    [Symbol.dispose]: () => {
      process.off('unhandledRejection', rejected);
      process.off('uncaughtException', thrown);
    },
  };
}

/** With where it came from, and what caused it. */
function withCause(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause === undefined ? text : `${text}\ncaused by ${withCause(error.cause)}`;
}
