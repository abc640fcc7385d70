import type { PullRule, UpstreamUrl } from '../domain/pull-rule.ts';
import { UpstreamFailure } from '../domain/upstream-failure.ts';
import type { Clock } from '../ports/clock.ts';
import type { Events, UpstreamRequestKind } from '../ports/events.ts';
import { AddressRefused, type Admission } from './address-guard.ts';
import { discard } from './body-reading.ts';
import type { Pass } from './breaker.ts';
import type { TlsIdentity } from './connector.ts';
import type { Dispatchers, PoolName } from './dispatchers.ts';
import { type Answer, exchange, headerOf } from './exchange.ts';
import { breaksUpstream, failure, failureOfError } from './failures.ts';
import type { Host, Hosts } from './hosts.ts';
import { readLimit } from './rate-limit.ts';
import { secretsOf } from './redaction.ts';
import { parseRetryAfter } from './retry-after.ts';

/** Which of a rule's URLs a call is for. */
export interface Origin {
  readonly rule: PullRule;
  readonly url: UpstreamUrl;
}

/** One request to one host. */
export interface Hop {
  readonly origin: Origin;
  readonly kind: UpstreamRequestKind;
  readonly method: 'GET' | 'HEAD';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly pool: PoolName;
  readonly admission: Admission;
  /** False where our client certificate must not be shown. */
  readonly identified: boolean;
  readonly firstByteMs: number;
}

/** Requests through a host's breaker and hold, told to telemetry. */
export interface Wire {
  /** Throws where the host of the URL is held after a 429; asks nothing. */
  assertNotHeld(host: string, upstream: string): void;
  /** Any answer but 429 is returned, whatever its status. Throws `UpstreamFailure` or the signal's reason. */
  send(hop: Hop, signal: AbortSignal): Promise<Answer>;
}

export interface WireParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly hosts: Hosts;
  readonly dispatchers: Dispatchers;
}

export function createWire(parts: WireParts): Wire {
  const { clock, events, hosts, dispatchers } = parts;

  const assertNotHeld = (name: string, upstream: string): void => {
    const waitMs = hosts.of(name).heldMs();
    if (waitMs === 0) return;
    events.emit({ type: 'throttled', upstream, reason: 'held' });
    throw failure(`${name} asked not to be asked`, 'rateLimited', 'status', upstream, {
      status: 429,
      retryAfterMs: waitMs,
    });
  };

  return {
    assertNotHeld,
    async send(hop, signal) {
      signal.throwIfAborted();
      const upstream = hop.origin.url.host;
      hosts.claim(upstream);
      const host = hosts.of(hop.url.host);
      assertNotHeld(host.name, upstream);
      const pass = enter(host, hop);
      const startedAt = clock.elapsed();
      const tell = (status: number | undefined): void =>
        events.emit({
          type: 'upstreamRequest',
          upstream,
          kind: hop.kind,
          method: hop.method,
          status,
          durationMs: clock.elapsed() - startedAt,
        });
      let answer: Answer;
      try {
        const route = {
          url: hop.url,
          pool: hop.pool,
          admission: hop.admission,
          tls: identityOf(hop),
        };
        answer = await exchange(
          dispatchers.get(route),
          { ...hop, headers: headersOf(hop), upstream, secrets: secretsOf(hop.origin.rule) },
          clock,
          signal,
        );
      } catch (error) {
        throw brokenOff(error, hop, pass, tell);
      }
      tell(answer.status);
      return settle(parts, hop, host, pass, answer);
    },
  };
}

function enter(host: Host, { origin }: Hop): Pass {
  const pass = host.breaker.enter();
  if (typeof pass !== 'number') return pass;
  const name = secretsOf(origin.rule).redact(host.name);
  throw failure(
    `${name} rests after repeated failures`,
    'network',
    'breakerOpen',
    origin.url.host,
    {
      retryAfterMs: pass,
    },
  );
}

/** Books an answer with its host; a 429 is thrown here and holds the host. */
function settle(parts: WireParts, hop: Hop, host: Host, pass: Pass, answer: Answer): Answer {
  const { clock, events } = parts;
  const upstream = hop.origin.url.host;
  if (answer.status >= 500) pass.failed();
  else pass.succeeded();
  const limit = hop.kind === 'manifest' ? readLimit(answer, upstream, clock.now()) : undefined;
  // A manifest that comes without the headers comes without a limit; what is no manifest says nothing of one.
  if (hop.kind === 'manifest' && answer.status === 200) host.observe(limit);
  else if (limit !== undefined) host.observe(limit);
  if (limit !== undefined) {
    const { account, remaining, resetAt } = limit;
    events.emit({ type: 'rateLimit', upstream, account, limit: limit.limit, remaining, resetAt });
  }
  if (answer.status < 400 || answer.status === 404) host.succeeded();
  if (answer.status !== 429) return answer;
  const retryAfterMs = parseRetryAfter(headerOf(answer, 'retry-after'), clock.now());
  host.hold(retryAfterMs);
  discard(answer, clock);
  events.emit({ type: 'throttled', upstream, reason: 'rateLimited' });
  const limited = failure(
    `${answer.secrets.redact(host.name)}: 429`,
    'rateLimited',
    'status',
    upstream,
    {
      status: 429,
      retryAfterMs,
    },
  );
  host.failed(limited);
  throw limited;
}

/** Books a request that got no answer. What the guard refused was never sent; what the caller ended is nobody's failure. */
function brokenOff(
  error: unknown,
  hop: Hop,
  pass: Pass,
  tell: (status: undefined) => void,
): unknown {
  const failed =
    error instanceof AddressRefused
      ? failureOfError(error, hop.origin.url.host, secretsOf(hop.origin.rule).redact(hop.url.host))
      : error;
  if (!(failed instanceof UpstreamFailure) || failed.reason !== 'addressRefused') tell(undefined);
  if (failed instanceof UpstreamFailure && breaksUpstream(failed)) pass.failed();
  else pass.abandoned();
  return failed;
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
