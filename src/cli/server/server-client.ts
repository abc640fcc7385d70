import { errorText } from '../../domain/error-text.ts';
import type { Problem } from '../../contract/admin-view.ts';
import { CommandFailure, interruption } from '../command-failure.ts';
import type { ExitName } from '../exit-codes.ts';
import type { Answer, Exchange } from './http-exchange.ts';
import { exchange } from './http-exchange.ts';
import type { ServerLocation, ServerOptions } from './server-location.ts';
import { locateServer, serverNotRunning } from './server-location.ts';
import type { Terminal } from '../terminal/terminal.ts';

export interface ApiRequest {
  /** `GET` where absent. */
  readonly method?: Exchange['method'];
  /** Below `/api/v1/`. */
  readonly path: string;
  /** What is `undefined` is left out, here and in the body. */
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: Readonly<Record<string, unknown>>;
  /** For the whole exchange; 10 s where absent. */
  readonly deadlineMs?: number;
}

const deadlineStandardMs = 10_000;

/** Asks the running server; its problems become failures with their exit codes. The answer is trusted to have the API's schema; where there is none it is `undefined`. */
export async function askServer<T>(
  request: ApiRequest,
  options: ServerOptions,
  terminal: Terminal,
): Promise<T> {
  return askServerAt(request, await locateServer(options, terminal), terminal);
}

/** The same of a server that was found already. */
export async function askServerAt<T>(
  request: ApiRequest,
  location: ServerLocation,
  terminal: Terminal,
): Promise<T> {
  const answer = await send(request, location, terminal.interrupted());
  if (answer.status >= 400) throw failureOf(answer);
  if (answer.status === 204) return undefined as T;
  try {
    return JSON.parse(answer.text) as T;
  } catch (error) {
    throw notBreakwater(location.url, error);
  }
}

async function send(
  { method = 'GET', path, query = {}, body, deadlineMs = deadlineStandardMs }: ApiRequest,
  location: ServerLocation,
  interrupted: AbortSignal,
): Promise<Answer> {
  const url = new URL(`/api/v1/${path}`, location.url);
  for (const [name, value] of Object.entries(query))
    if (value !== undefined) url.searchParams.set(name, value);
  const deadline = AbortSignal.timeout(deadlineMs);
  try {
    return await exchange(
      {
        method,
        url,
        headers: { authorization: location.authorization, accept: 'application/json' },
        body: body && JSON.stringify(body),
        pinnedCertificate: location.pinnedCertificate,
      },
      AbortSignal.any([interrupted, deadline]),
    );
  } catch (error) {
    if (interrupted.aborted) throw interruption();
    if (deadline.aborted) throw tooSlow(location.url, deadlineMs);
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED') throw serverNotRunning(errorText(error));
    throw new CommandFailure(`the server at ${location.url.origin} cannot be reached`, {
      exit: 'upstream',
      code: 'SERVER_UNREACHABLE',
      because: errorText(error),
      hint: /CERT|SIGNATURE|ISSUER/.test(code ?? '') ? certificateHint : undefined,
      cause: error,
    });
  }
}

const certificateHint =
  'name its certificate authority with NODE_EXTRA_CA_CERTS=FILE; beside the server leave out --server: its certificate is known there';

function tooSlow(url: URL, deadlineMs: number): CommandFailure {
  return new CommandFailure(`the server at ${url.origin} did not answer in time`, {
    exit: 'upstream',
    code: 'SERVER_TIMEOUT',
    because: `no answer within ${deadlineMs / 1000} s`,
  });
}

function failureOf(answer: Answer): CommandFailure {
  const problem = parseProblem(answer);
  const exit = exitOf(answer.status);
  if (problem === undefined)
    return new CommandFailure(`the server answered ${answer.status}`, {
      exit,
      code: `HTTP_${answer.status}`,
      because: registryMessage(answer) ?? (answer.text.slice(0, 200).trim() || 'an empty answer'),
    });
  const { code, cause, requestId } = problem;
  return new CommandFailure(problem.detail, {
    exit,
    code,
    because: cause && describeCause(cause),
    hint: problem.hint ?? (answer.status === 500 ? internalHint(requestId) : undefined),
  });
}

/** Of an answer in the registry API's form. */
function registryMessage({ contentType, text }: Answer): string | undefined {
  if (!contentType.startsWith('application/json')) return undefined;
  try {
    const { errors } = JSON.parse(text) as { readonly errors?: readonly { message?: unknown }[] };
    const message = errors?.[0]?.message;
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}

function internalHint(requestId: string): string {
  return `the server's log says more; look for request id ${requestId}`;
}

function describeCause(cause: Readonly<Record<string, unknown>>): string | undefined {
  const { message = cause['cause'], upstream } = cause;
  if (typeof message !== 'string') return undefined;
  return typeof upstream === 'string' && !message.includes(upstream)
    ? `${upstream}: ${message}`
    : message;
}

function parseProblem(answer: Answer): Problem | undefined {
  if (!answer.contentType.startsWith('application/problem+json')) return undefined;
  try {
    const problem = JSON.parse(answer.text) as Partial<Problem>;
    return typeof problem.detail === 'string' && typeof problem.code === 'string'
      ? (problem as Problem)
      : undefined;
  } catch {
    return undefined;
  }
}

function exitOf(status: number): ExitName {
  if (status === 401 || status === 403) return 'forbidden';
  if (status === 404 || status === 410) return 'notFound';
  if (status === 409 || status === 412) return 'conflict';
  if (status === 429 || (status > 500 && status <= 504)) return 'upstream';
  return status < 500 ? 'usage' : 'failure';
}

function notBreakwater(url: URL, cause: unknown): CommandFailure {
  return new CommandFailure(`what answers at ${url.origin} is no Breakwater`, {
    exit: 'upstream',
    code: 'NOT_BREAKWATER',
    hint: 'check --server, or the address in the configuration',
    cause,
  });
}
