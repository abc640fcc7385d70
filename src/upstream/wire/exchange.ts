import { failure } from '../../domain/upstream-failure.ts';
import type { Dispatcher } from 'undici';
import type { Clock } from '../../ports/clock.ts';
import type { ArrivingBody, BodyFeed } from './arriving-body.ts';
import { createBodyFeed } from './arriving-body.ts';
import { deadlinesMs } from './deadlines.ts';
import type { ConnectionAware } from './dispatchers.ts';
import { failureOfError } from '../failures.ts';
import type { Secrets } from '../redaction.ts';

export interface ExchangeRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly body?: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly firstByteMs: number;
  /** The host that failures name. */
  readonly upstream: string;
  /** What no failure may repeat. */
  readonly secrets: Secrets;
}

/** An answer whose head has arrived. Read the body to its end or destroy it. */
export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: ArrivingBody;
  /** Every text of the answer passes them before anybody sees it. */
  readonly secrets: Secrets;
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
      ? failureOfError(error.cause, request.upstream, hostIn(request))
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

/** A URL that an upstream names, without fragment, user and password; `undefined` where it names none. */
export function readUrl(text: string | undefined, base: URL): URL | undefined {
  const url = text === undefined ? null : URL.parse(text, base);
  if (url === null) return undefined;
  url.hash = '';
  url.username = '';
  url.password = '';
  return url;
}

/** One request under way: what it is to become, and how it is ended from this side. */
interface Call {
  readonly opened: PromiseWithResolvers<Answer>;
  readonly feed: BodyFeed;
  /** The connection's side, once the request is on its way. */
  controller: Dispatcher.DispatchController | undefined;
  answered: boolean;
  stopped: { readonly reason: unknown } | undefined;
  /** The first byte is there. */
  begun(): void;
  /** Deadline and signal are watched no more. */
  over(): void;
  /** Nothing, or nothing more, will come, and this is why. */
  fail(reason: unknown): void;
  /** Fails it and ends the connection. */
  stop(reason: unknown): void;
}

function attempt(
  dispatcher: Dispatcher,
  request: ExchangeRequest,
  clock: Clock,
  signal: AbortSignal,
): Promise<Answer> {
  signal.throwIfAborted();
  const { upstream, url, method, headers, body } = request;
  const call = startCall(request, clock, signal);
  try {
    dispatcher.dispatch(
      {
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers,
        ...(body === undefined ? {} : { body }),
        // undici would close the connection after every HEAD, and each check of a tag would cost a handshake.
        reset: false,
      },
      handlerOf(call, request),
    );
  } catch (error) {
    call.fail(failureOfError(error, upstream, hostIn(request)));
  }
  return call.opened.promise;
}

function startCall(request: ExchangeRequest, clock: Clock, signal: AbortSignal): Call {
  const { upstream, firstByteMs } = request;
  const late = (what: string, reason: 'idleTimeout' | 'firstByteTimeout'): Error =>
    failure(`${hostIn(request)}: ${what}`, 'timeout', reason, upstream);
  const feed = createBodyFeed(clock, deadlinesMs.idle, {
    pause: () => call.controller?.pause(),
    resume: () => call.controller?.resume(),
    destroy: () => call.stop(new Error('given up')),
    idle() {
      const reason = late(`nothing came for ${deadlinesMs.idle} ms`, 'idleTimeout');
      call.stop(reason);
      return reason;
    },
  });
  const firstByte = clock.after(firstByteMs, () =>
    call.stop(late(`no answer within ${firstByteMs} ms`, 'firstByteTimeout')),
  );
  const aborted = (): void => call.stop(signal.reason);
  signal.addEventListener('abort', aborted, { once: true });
  const call: Call = {
    opened: Promise.withResolvers(),
    feed,
    controller: undefined,
    answered: false,
    stopped: undefined,
    begun: () => firstByte[Symbol.dispose](),
    over() {
      firstByte[Symbol.dispose]();
      signal.removeEventListener('abort', aborted);
    },
    fail(reason) {
      call.over();
      call.opened.reject(reason);
      feed.fail(reason);
    },
    stop(reason) {
      if (call.stopped !== undefined) return;
      call.stopped = { reason };
      call.fail(reason);
      call.controller?.abort(asError(reason));
    },
  };
  return call;
}

function handlerOf(call: Call, request: ExchangeRequest): Dispatcher.DispatchHandler {
  const { upstream, secrets } = request;
  const handler: Dispatcher.DispatchHandler & ConnectionAware = {
    onRequestStart(controller) {
      call.controller = controller;
      if (call.stopped !== undefined) controller.abort(asError(call.stopped.reason));
    },
    onResponseStart(_controller, status, headers) {
      if (status < 200) return;
      call.answered = true;
      call.begun();
      call.opened.resolve({ status, headers, body: call.feed.body, secrets });
    },
    onResponseData(_controller, chunk) {
      call.feed.push(chunk);
    },
    onResponseEnd() {
      call.over();
      call.feed.end();
    },
    onResponseError(_controller, error) {
      const early = !call.answered && call.stopped === undefined;
      const stale = early && isReset(error) && handler.usedBefore?.() === true;
      call.fail(
        stale
          ? new StaleConnection('', { cause: error })
          : failureOfError(error, upstream, hostIn(request)),
      );
    },
  };
  return handler;
}

/** The host that was asked, as failures say it: an upstream chooses where its redirects lead. */
function hostIn({ url, secrets }: ExchangeRequest): string {
  return secrets.redact(url.host);
}

function isReset(error: unknown): boolean {
  const code = (error as { readonly code?: unknown }).code;
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}
