import type { Dispatcher } from 'undici';
import type { Clock } from '../ports/clock.ts';
import { type ArrivingBody, createBodyFeed } from './arriving-body.ts';
import { deadlinesMs } from './deadlines.ts';
import type { ConnectionAware } from './dispatchers.ts';
import { failure, failureOfError } from './failures.ts';

export interface ExchangeRequest {
  readonly method: 'GET' | 'HEAD';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly firstByteMs: number;
  /** The host that failures name. */
  readonly upstream: string;
}

/** An answer whose head has arrived. Read the body to its end or destroy it. */
export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: ArrivingBody;
}

/**
 * One request over a pool. Throws `UpstreamFailure`, or the signal's reason. Repeated once where a connection that had
 * served before broke ahead of any answer: the other side may just have closed it for being idle.
 */
export async function exchange(
  dispatcher: Dispatcher,
  request: ExchangeRequest,
  clock: Clock,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    return await attempt(dispatcher, request, clock, signal);
  } catch (error) {
    if (!(error instanceof StaleConnection)) throw error;
  }
  try {
    return await attempt(dispatcher, request, clock, signal);
  } catch (error) {
    throw error instanceof StaleConnection
      ? failureOfError(error.cause, request.upstream, request.url.host)
      : error;
  }
}

class StaleConnection extends Error {
  override readonly name = 'StaleConnection';
}

/** The value of a header; the first where it was sent more than once. */
export function headerOf(answer: Pick<Answer, 'headers'>, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function attempt(
  dispatcher: Dispatcher,
  request: ExchangeRequest,
  clock: Clock,
  signal: AbortSignal,
): Promise<Answer> {
  signal.throwIfAborted();
  const opened = Promise.withResolvers<Answer>();
  const { upstream, url } = request;
  let controller: Dispatcher.DispatchController | undefined;
  let stopped: { readonly reason: unknown } | undefined;
  let answered = false;

  const feed = createBodyFeed(clock, deadlinesMs.idle, {
    resume: () => controller?.resume(),
    destroy: () => stop(new Error('given up')),
    idle() {
      const late = failure(
        `${url.host}: nothing came for ${deadlinesMs.idle} ms`,
        'timeout',
        'idleTimeout',
        upstream,
      );
      stop(late);
      return late;
    },
  });
  const settle = (): void => {
    firstByte[Symbol.dispose]();
    signal.removeEventListener('abort', aborted);
  };
  const fail = (reason: unknown): void => {
    settle();
    opened.reject(reason);
    feed.fail(reason);
  };
  const stop = (reason: unknown): void => {
    if (stopped !== undefined) return;
    stopped = { reason };
    fail(reason);
    controller?.abort(asError(reason));
  };
  const aborted = (): void => stop(signal.reason);
  const firstByte = clock.after(request.firstByteMs, () =>
    stop(
      failure(
        `${url.host}: no answer within ${request.firstByteMs} ms`,
        'timeout',
        'firstByteTimeout',
        upstream,
      ),
    ),
  );
  signal.addEventListener('abort', aborted, { once: true });

  const handler: Dispatcher.DispatchHandler & ConnectionAware = {
    onRequestStart(started) {
      controller = started;
      if (stopped !== undefined) started.abort(asError(stopped.reason));
    },
    onResponseStart(_controller, status, headers) {
      if (status < 200) return;
      answered = true;
      firstByte[Symbol.dispose]();
      opened.resolve({ status, headers, body: feed.body });
    },
    onResponseData(started, chunk) {
      if (feed.push(chunk)) started.pause();
    },
    onResponseEnd() {
      settle();
      feed.end();
    },
    onResponseError(_controller, error) {
      const stale =
        !answered && stopped === undefined && isReset(error) && handler.usedBefore?.() === true;
      fail(
        stale
          ? new StaleConnection('', { cause: error })
          : failureOfError(error, upstream, url.host),
      );
    },
  };
  try {
    dispatcher.dispatch(
      {
        origin: url.origin,
        path: url.pathname + url.search,
        method: request.method,
        headers: request.headers,
        // undici would close the connection after every HEAD, and each check of a tag would cost a handshake.
        reset: false,
      },
      handler,
    );
  } catch (error) {
    fail(failureOfError(error, upstream, url.host));
  }
  return opened.promise;
}

function isReset(error: unknown): boolean {
  const code = (error as { readonly code?: unknown }).code;
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}
