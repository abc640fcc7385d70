import { setTimeout as sleep } from 'node:timers/promises';
import { isObject } from '../../domain/json.ts';
import { ClusterFailure } from './cluster-failure.ts';
import { credentialsOf } from './credentials.ts';
import { AnswerTooLarge, AnswerTooLate, createWire } from './wire.ts';
import type { WireAnswer, WireLimits } from './wire.ts';
import type { PluginSurroundings } from './exec-plugin.ts';
import type { ClusterTarget } from './target.ts';
import { shownAddress } from './target.ts';

/** A status of the API server that its caller may act on: 403, 404, 405, 410, and 5xx, which a single kind may give whose own server or conversion fails. */
export class ApiStatus extends Error {
  override readonly name = 'ApiStatus';
  readonly status: number;
  /** Of a 410: where a list may go on, with what is there now. */
  readonly continueToken: string | undefined;

  constructor(status: number, message: string, continueToken: string | undefined) {
    super(message);
    this.status = status;
    this.continueToken = continueToken;
  }
}

export interface ApiAnswer {
  readonly value: unknown;
  readonly characters: number;
}

/** Reads from one API server; changes nothing there. */
export interface ApiClient extends AsyncDisposable {
  readonly target: ClusterTarget;
  /** The JSON of an answer, and its length in characters. Throws an `ApiStatus` for 403, 404, 405, 410 and 5xx, `AnswerTooLarge`, and a `ClusterFailure` for everything else. */
  get(path: string, signal: AbortSignal, accept?: string): Promise<ApiAnswer>;
}

export interface ApiClientOptions {
  readonly surroundings: PluginSurroundings;
  readonly limits?: Partial<WireLimits>;
  /** Milliseconds that an answer of 429 or 503 may ask to wait, and tries of one request. */
  readonly waitMsMax?: number;
}

const defaultLimits: WireLimits = {
  firstByteMs: 30_000,
  idleMs: 30_000,
  wholeMs: 120_000,
  bytesMax: 64 * 1024 * 1024,
};
const triesMax = 6;
const waitMsMax = 30_000;

/** Opens nothing yet: the first request connects, and runs the plugin where there is one. */
export async function createApiClient(
  target: ClusterTarget,
  { surroundings, limits, waitMsMax: longest = waitMsMax }: ApiClientOptions,
): Promise<ApiClient> {
  const credentials = await credentialsOf(target, surroundings);
  const wire = createWire(target, surroundings.env, { ...defaultLimits, ...limits });

  const ask = async (path: string, accept: string, signal: AbortSignal): Promise<WireAnswer> => {
    for (let tries = 1; ; tries += 1) {
      const presented = await credentials.present(signal);
      const answer = await wire.get(path, accept, presented, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        if (tries < 2 && isPassing(error)) return undefined;
        throw error instanceof AnswerTooLarge ? error : unreachable(target, error);
      });
      if (answer === undefined) continue;
      const { status } = answer;
      if (status === 401 && credentials.refused()) continue;
      if (!isBusy(answer)) return answer;
      if (tries === triesMax)
        throw new ClusterFailure(`${said(target)} answers ${status} again and again`, {
          kind: 'unreachable',
          hint: 'it is too busy for this; try later, or ask for one namespace alone',
        });
      await sleep(waitMsOf(answer, tries, longest), undefined, { signal });
    }
  };

  return {
    target,
    async get(path, signal, accept = 'application/json') {
      const answer = await ask(path, accept, signal);
      return { value: readAnswer(answer, target), characters: answer.text.length };
    },
    [Symbol.asyncDispose]: () => wire[Symbol.asyncDispose](),
  };
}

/** `the API server https://10.0.0.1:6443 (context prod)` */
function said(target: ClusterTarget): string {
  return `the API server ${shownAddress(target)} (context ${target.context})`;
}

/** A connection that was closed while nobody asked, or by a server that is restarted. */
function isPassing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

/** The server asks to come again: too many requests, or not ready (kubernetes.io/docs/concepts/cluster-administration/flow-control). */
function isBusy({ status, headers }: WireAnswer): boolean {
  return status === 429 || (status >= 500 && headers['retry-after'] !== undefined);
}

function waitMsOf({ headers }: WireAnswer, tries: number, longest: number): number {
  const seconds = Number(headers['retry-after']);
  const asked = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : 1000 * 2 ** (tries - 1);
  // Those who were told the same second shall not come at the same moment.
  return Math.min(asked, longest) + Math.random() * Math.min(250, longest);
}

function unreachable(target: ClusterTarget, error: unknown): ClusterFailure {
  const { code, message } = error as NodeJS.ErrnoException;
  // Thrown before anything is sent; neither message holds what it is about.
  if (/^ERR_(INVALID_CHAR|OSSL_)/.test(code ?? ''))
    return new ClusterFailure(`${said(target)} can't be shown the credential of its context`, {
      kind: 'config',
      hint: 'in the kubeconfig a token is one line, a certificate and its key are PEM and belong together',
      because: message,
      cause: error,
    });
  const isLate = error instanceof AnswerTooLate;
  const what = isLate ? `gives ${message}` : 'can’t be reached';
  return new ClusterFailure(`${said(target)} ${what}`, {
    kind: 'unreachable',
    hint: hintOf(code ?? '', isLate),
    ...(!isLate && { because: message || code || 'unknown' }),
    cause: error,
  });
}

const certificateCodes =
  /^(CERT_|ERR_TLS_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_SSL|EPROTO|HOSTNAME_MISMATCH)/;

function hintOf(code: string, isLate: boolean): string {
  if (certificateCodes.test(code))
    return 'the kubeconfig’s certificate-authority has to be that of this server, and its name or tls-server-name in the certificate';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return 'its name is not known here: check server in the kubeconfig, DNS and the VPN';
  if (isLate)
    return 'it is stuck or behind a firewall that drops packets; kubectl get --raw /readyz asks the same';
  return 'check server in the kubeconfig, the network, and HTTPS_PROXY and NO_PROXY';
}

function readAnswer({ status, text }: WireAnswer, target: ClusterTarget): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (status === 200 && value !== undefined) return value;
  const told = isObject(value) ? value : {};
  const message = typeof told['message'] === 'string' ? told['message'].slice(0, 500) : undefined;
  if (status === 401)
    throw new ClusterFailure(`${said(target)} does not know who asks`, {
      kind: 'credentials',
      hint: 'the credential of this context is wrong or has expired; kubectl auth whoami asks the same',
      ...(message !== undefined && { because: message }),
    });
  if ([403, 404, 405, 410].includes(status) || status >= 500) {
    const metadata = isObject(told['metadata']) ? told['metadata'] : {};
    const token = metadata['continue'];
    throw new ApiStatus(
      status,
      message ?? `status ${status}`,
      typeof token === 'string' && token !== '' ? token : undefined,
    );
  }
  throw new ClusterFailure(
    status === 200 ? `${said(target)} answers no JSON` : `${said(target)} answers ${status}`,
    {
      kind: 'unreachable',
      hint: 'check that server in the kubeconfig is an API server; a proxy or a login page may be in between',
      ...(message !== undefined && { because: message }),
    },
  );
}
