import type { PullRule } from '../domain/rules/pull-rule.ts';
import type { Clock } from '../ports/clock.ts';
import type { Events } from '../ports/events.ts';
import type { Upstream } from '../ports/upstream.ts';
import { createAdmission } from './asking.ts';
import { Authorization } from './login/authorization.ts';
import { credentialKeyOf } from './credentials.ts';
import { headBlob, offerPlaces, openBlob } from './content/blobs.ts';
import type { Calls } from './calls.ts';
import { createDispatchers } from './wire/dispatchers.ts';
import type { Lookup } from './wire/dns.ts';
import { createResolver, systemLookup } from './wire/dns.ts';
import { Hosts } from './wire/hosts.ts';
import { Lanes } from './wire/lanes.ts';
import { createListMemory } from './content/list-memory.ts';
import { getManifest, headManifest } from './content/manifests.ts';
import { ping } from './content/ping.ts';
import type { ProxyEnvironment } from './wire/proxy.ts';
import { createProxyChoice } from './wire/proxy.ts';
import { listReferrers } from './content/referrers.ts';
import { listTags } from './content/tags.ts';
import { createTokenSource } from './login/token-source.ts';
import { createWire } from './wire/wire.ts';

export interface UpstreamOptions {
  readonly clock: Clock;
  readonly events: Events;
  /** Where HTTP_PROXY, HTTPS_PROXY and NO_PROXY are read from. */
  readonly env: ProxyEnvironment;
  /** Absent: the system's resolver. */
  readonly lookup?: Lookup;
  /** For tests: the address dialled in place of one that was looked up and admitted. */
  readonly dial?: (address: string) => string;
}

/** The registries that are pulled from, over HTTP/1.1. Disposing it ends every connection. */
export function createUpstream(options: UpstreamOptions): Upstream & AsyncDisposable {
  const { clock, events } = options;
  const resolver = createResolver(options.lookup ?? systemLookup, clock);
  const dispatchers = createDispatchers({
    resolver,
    clock,
    proxyOf: createProxyChoice(options.env),
    dial: options.dial,
  });
  const hosts = new Hosts(clock, (upstream, state) =>
    events.emit({ type: 'breaker', upstream, state }),
  );
  const wire = createWire({
    clock,
    events,
    hosts,
    dispatchers,
  });
  const admissionOf = createAdmission(resolver);
  const tokens = createTokenSource({ clock, events, wire, admissionOf });
  const authorization = new Authorization({ clock, events, wire, tokens });
  const calls: Calls = {
    clock,
    events,
    hosts,
    wire,
    authorization,
    admissionOf,
    quick: new Lanes(),
    blobs: new Lanes(),
    lists: createListMemory(clock),
  };
  return {
    headManifest: (target, reference, signal) => headManifest(calls, target, reference, signal),
    getManifest: (target, reference, ifNoneMatch, signal) =>
      getManifest(calls, target, reference, ifNoneMatch, signal),
    headBlob: (target, digest, signal) => headBlob(calls, target, digest, signal),
    openBlob: (target, digest, blob, signal) => openBlob(calls, target, digest, blob, signal),
    offerPlaces: (origin, taker) => offerPlaces(calls, origin, taker),
    reconsider: (host) => calls.blobs.reconsider(host),
    listTags: (target, place, signal) => listTags(calls, target, place, signal),
    listReferrers: (target, subject, signal) => listReferrers(calls, target, subject, signal),
    ping: (rule, url, signal) => ping(calls, rule, url, signal),
    state: (host, rule) => hosts.state(host, rule && shownTo(rule, host)),
    reset() {
      authorization.reset();
      hosts.reset();
    },
    [Symbol.asyncDispose]: () => dispatchers[Symbol.asyncDispose](),
  };
}

/** The key of the credential that a host of the rule gets; `undefined` for a host that the rule does not name. */
function shownTo(rule: PullRule, host: string): string | undefined {
  const url = rule.urls.find((one) => one.host === host);
  return url && credentialKeyOf({ rule, url });
}
