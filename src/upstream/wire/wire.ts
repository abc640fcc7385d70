import { failure, UpstreamFailure } from '../../domain/upstream-failure.ts';
import { pause } from '../../coordination/waiting.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events, UpstreamRequestKind } from '../../ports/events.ts';
import type { Admission } from '../../domain/names/address-guard.ts';
import { AddressRefused } from '../../domain/names/address-guard.ts';
import { discard, readFront } from './body-reading.ts';
import type { Pass } from './breaker.ts';
import type { TlsIdentity } from './connector.ts';
import { credentialKeyOf } from '../credentials.ts';
import type { Dispatchers, PoolName } from './dispatchers.ts';
import type { Answer } from './exchange.ts';
import { exchange, headerOf } from './exchange.ts';
import { breaksUpstream, failureOfError } from '../failures.ts';
import type { Host, Hosts } from './hosts.ts';
import type { Origin } from '../../ports/upstream.ts';
import { readLimit } from './rate-limit.ts';
import { secretsOf } from '../redaction.ts';
import { parseRetryAfter, sentAt, waitSaidIn } from './retry-after.ts';

/** One request to one host. */
export interface Hop {
  readonly origin: Origin;
  readonly kind: UpstreamRequestKind;
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: URL;
  /** Of a POST. */
  readonly body?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly pool: PoolName;
  readonly admission: Admission;
  /** False where our client certificate must not be shown. */
  readonly identified: boolean;
  readonly firstByteMs: number;
}

/** Requests through a host's breaker and hold, reported to telemetry. */
export interface Wire {
  /** Throws where the host asked not to be asked with the origin's credential; asks nothing. */
  assertNotHeld(host: string, origin: Origin): void;
  /**
   * Any answer but 429 is returned, whatever its status. A GET that gets 502, 503, 504 or a reset is sent once more within
   * its deadline, and so is what a 429 puts off for a moment. Throws `UpstreamFailure` or the signal's reason.
   */
  send(hop: Hop, signal: AbortSignal): Promise<Answer>;
}

export interface WireParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly hosts: Hosts;
  readonly dispatchers: Dispatchers;
}

/** A hold this short is waited for instead of refused: GHCR puts requests off by microseconds. */
const waitedMsMax = 250;

/** `sentAt` in monotonic ms. */
type Outcome = { readonly sentAt: number } & (
  | { readonly answer: Answer; readonly limitedMs: number | undefined }
  | { readonly error: unknown }
);

export function createWire(parts: WireParts): Wire {
  const { clock, events, hosts } = parts;

  const heldMs = (host: string, origin: Origin): number =>
    hosts.of(host, origin.url.host).holds.heldMs(credentialKeyOf(origin));
  const assertNotHeld = (name: string, origin: Origin): void => {
    const waitMs = heldMs(name, origin);
    if (waitMs <= waitedMsMax) return;
    const upstream = origin.url.host;
    events.emit({ type: 'throttled', upstream, reason: 'held' });
    const said = secretsOf(origin.rule).redact(name);
    throw failure(`${said} asked not to be asked`, 'rateLimited', 'status', upstream, {
      status: 429,
      retryAfterMs: waitMs,
    });
  };

  return {
    assertNotHeld,
    async send(hop, signal) {
      signal.throwIfAborted();
      const host = hosts.of(hop.url.host, hop.origin.url.host);
      assertNotHeld(host.name, hop.origin);
      const waitMs = heldMs(host.name, hop.origin);
      if (waitMs > 0) await pause(waitMs, clock, signal);
      const pass = enter(host, hop);
      try {
        return settle(parts, hop, host, pass, await sendTwice(parts, hop, signal));
      } finally {
        // Where it neither succeeded nor failed.
        pass.abandoned();
      }
    },
  };
}

async function sendTwice(parts: WireParts, hop: Hop, signal: AbortSignal): Promise<Outcome> {
  const { clock } = parts;
  const startedAt = clock.elapsed();
  const first = await attempt(parts, hop, signal);
  const waitMs = waitBeforeRepeat(hop, first);
  const leftMs = hop.firstByteMs - (clock.elapsed() - startedAt) - (waitMs ?? 0);
  if (waitMs === undefined || leftMs <= 0 || signal.aborted) return first;
  if ('answer' in first) discard(first.answer, clock);
  // The same pass: a probe of a half-open breaker stays one.
  if (waitMs > 0) await pause(waitMs, clock, signal);
  const second = await attempt(parts, { ...hop, firstByteMs: leftMs }, signal);
  // A no says more than that nothing came in what time was left for the repeat.
  const isNews = 'answer' in second || !isTimeout(second.error) || signal.aborted;
  return isNews || 'error' in first ? second : { ...first, answer: withoutBody(first.answer) };
}

function isTimeout(error: unknown): boolean {
  return error instanceof UpstreamFailure && error.kind === 'timeout';
}

/** Its body was passed over. */
function withoutBody(answer: Answer): Answer {
  return { ...answer, body: { read: async () => undefined, destroy: () => {} } };
}

/** `undefined`: what came is final. */
function waitBeforeRepeat(hop: Hop, outcome: Outcome): number | undefined {
  if ('error' in outcome) {
    const { error } = outcome;
    const isReset = error instanceof UpstreamFailure && error.reason === 'reset';
    return isReset && hop.method === 'GET' ? 0 : undefined;
  }
  const { answer, limitedMs = Infinity } = outcome;
  if (answer.status === 429) return limitedMs <= waitedMsMax ? limitedMs : undefined;
  return hop.method === 'GET' && passing.has(answer.status) ? 0 : undefined;
}

/** What a proxy or a load balancer says while one of several servers behind it is on its way out. */
const passing: ReadonlySet<number> = new Set([502, 503, 504]);

async function attempt(parts: WireParts, hop: Hop, signal: AbortSignal): Promise<Outcome> {
  const { clock, events, dispatchers } = parts;
  const upstream = hop.origin.url.host;
  const secrets = secretsOf(hop.origin.rule);
  const startedAt = clock.elapsed();
  const report = (status: number | undefined): void =>
    events.emit({
      type: 'upstreamRequest',
      upstream,
      kind: hop.kind,
      method: hop.method,
      status,
      durationMs: clock.elapsed() - startedAt,
    });
  try {
    const { url, pool, admission } = hop;
    const dispatcher = dispatchers.get({ url, pool, admission, tls: identityOf(hop) });
    const request = { ...hop, headers: headersOf(hop), upstream, secrets };
    const answer = await exchange(dispatcher, request, clock, signal);
    report(answer.status);
    const limitedMs = answer.status === 429 ? await waitOf(answer, clock) : undefined;
    return { sentAt: startedAt, answer, limitedMs };
  } catch (error) {
    const failed =
      error instanceof AddressRefused
        ? failureOfError(error, upstream, secrets.redact(hop.url.host))
        : error;
    // What the guard refused was never sent.
    if (!(failed instanceof UpstreamFailure) || failed.reason !== 'addressRefused')
      report(undefined);
    return { sentAt: startedAt, error: failed };
  }
}

/** The wait that a 429 names in its header, else in its body, which ends here. */
async function waitOf(answer: Answer, clock: Clock): Promise<number | undefined> {
  const saidAt = sentAt(headerOf(answer, 'date'), clock.now());
  const said = parseRetryAfter(headerOf(answer, 'retry-after'), saidAt);
  if (said === undefined) return waitSaidIn(await readFront(answer, clock), saidAt);
  discard(answer, clock);
  return said;
}

function enter(host: Host, { origin }: Hop): Pass {
  const pass = host.breaker.enter();
  if (typeof pass !== 'number') return pass;
  const name = secretsOf(origin.rule).redact(host.name);
  const upstream = origin.url.host;
  throw failure(`${name} rests after repeated failures`, 'network', 'breakerOpen', upstream, {
    retryAfterMs: pass,
  });
}

/**
 * Whether failures of the request say nothing of the host: many a registry that serves GETs well answers 5xx to a HEAD, or has
 * a referrers API that fails.
 */
function isHint(hop: Hop): boolean {
  return hop.method === 'HEAD' || hop.kind === 'referrers';
}

/** Books what came of a request with its host. A 429 is thrown here and holds the host for this credential. */
function settle(
  { clock, events }: WireParts,
  hop: Hop,
  host: Host,
  pass: Pass,
  outcome: Outcome,
): Answer {
  const upstream = hop.origin.url.host;
  const key = credentialKeyOf(hop.origin);
  if ('error' in outcome) {
    const { error } = outcome;
    // What the caller ended is nobody's failure.
    const counts = error instanceof UpstreamFailure && breaksUpstream(error);
    if (counts && hop.kind !== 'referrers') pass.failed();
    throw error;
  }
  const { answer, limitedMs } = outcome;
  if (answer.status < 500) pass.succeeded();
  else if (!isHint(hop)) pass.failed();
  observeLimit(hop, host, answer, { clock, events });
  if (answer.status < 400 || answer.status === 404) host.succeeded();
  if (answer.status !== 429) {
    host.holds.answered(key, outcome.sentAt);
    return answer;
  }
  const retryAfterMs = host.holds.hold(key, limitedMs);
  events.emit({ type: 'throttled', upstream, reason: 'rateLimited' });
  const name = answer.secrets.redact(host.name);
  const limited = failure(`${name}: 429`, 'rateLimited', 'status', upstream, {
    status: 429,
    retryAfterMs,
  });
  host.failed(limited);
  throw limited;
}

function observeLimit(
  { kind, origin }: Hop,
  host: Host,
  answer: Answer,
  { clock, events }: Pick<WireParts, 'clock' | 'events'>,
): void {
  if (kind !== 'manifest') return;
  const upstream = origin.url.host;
  const limit = readLimit(answer, upstream, clock.now());
  // A manifest that comes without the headers comes without a limit; what is no manifest says nothing of one.
  if (limit !== undefined || answer.status === 200) host.observe(limit);
  if (limit === undefined) return;
  const { account, remaining, resetAt } = limit;
  events.emit({ type: 'rateLimit', upstream, account, limit: limit.limit, remaining, resetAt });
}

function headersOf(hop: Hop): Readonly<Record<string, string>> {
  return {
    'user-agent': 'breakwater',
    accept: '*/*',
    'accept-encoding': 'identity',
    ...hop.headers,
  };
}

function identityOf(hop: Hop): TlsIdentity {
  const { ca, clientCert } = hop.origin.rule;
  const shown = hop.identified ? clientCert : undefined;
  return { ca, cert: shown?.cert, key: shown?.key };
}
