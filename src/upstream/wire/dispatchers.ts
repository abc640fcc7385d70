import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Client as ClientOptions, Dispatcher } from 'undici';
import type { Clock } from '../../ports/clock.ts';
import type { Admission } from '../../domain/names/address-guard.ts';
import { assertAdmitted } from '../../domain/names/address-guard.ts';
import type { TlsIdentity } from './connector.ts';
import { createConnector, tlsOptions } from './connector.ts';
import { deadlinesMs } from './deadlines.ts';
import type { Resolver } from './dns.ts';
import type { ProxyChoice } from './proxy.ts';
import { Client, createProxyAgent, Pool } from './undici.ts';

/** `blobs` is a pool of its own, so that manifests, tags and tokens never wait for one of its connections. */
export type PoolName = 'quick' | 'blobs';

export interface Route {
  readonly url: URL;
  readonly pool: PoolName;
  readonly admission: Admission;
  readonly tls: TlsIdentity;
}

/** Kept-alive connections, one pool for each (origin, pool, admission, TLS identity). */
export interface Dispatchers extends AsyncDisposable {
  /** Throws `AddressRefused` for a literal that the admission excludes, behind a proxy too. */
  get(route: Route): Dispatcher;
}

const poolsMax = 256;
const headerBytesMax = 65_536;
const idleSocketMs = 15_000;
const idleSocketMsMax = 60_000;

export interface DispatcherParts {
  readonly resolver: Resolver;
  readonly clock: Clock;
  readonly proxyOf: ProxyChoice;
  readonly dial: ((address: string) => string) | undefined;
}

export function createDispatchers(parts: DispatcherParts): Dispatchers {
  // A pool that falls out lets its running requests finish.
  const pools = new LRUCache<string, Dispatcher>({
    max: poolsMax,
    dispose: (pool, _key, reason) => void (reason === 'evict' && pool.close().catch(() => {})),
  });
  return {
    get(route) {
      assertAdmitted(route.admission, route.url.hostname);
      const key = keyOf(route);
      const kept = pools.get(key);
      if (kept !== undefined) return kept;
      const made = createPool(route, parts);
      pools.set(key, made);
      return made;
    },
    async [Symbol.asyncDispose]() {
      const open = [...pools.values()];
      pools.clear();
      await Promise.all(open.map((pool) => pool.destroy()));
    },
  };
}

function keyOf({ url, pool, admission, tls }: Route): string {
  const identity = createHash('sha256')
    .update(JSON.stringify([tls.ca, tls.cert, tls.key]))
    .digest('hex');
  return `${url.origin} ${pool} ${admission} ${identity}`;
}

const shared = {
  allowH2: false,
  pipelining: 1,
  maxHeaderSize: headerBytesMax,
  keepAliveTimeout: idleSocketMs,
  keepAliveMaxTimeout: idleSocketMsMax,
  // Our own deadlines count, on our own clock.
  headersTimeout: 0,
  bodyTimeout: 0,
} as const;

function createPool(route: Route, parts: DispatcherParts): Dispatcher {
  const proxy = parts.proxyOf(route.url);
  if (proxy !== undefined) {
    return createProxyAgent({
      ...shared,
      uri: proxy,
      connectTimeout: deadlinesMs.connect,
      requestTls: { allowH2: false, ...tlsOptions(route.tls) },
      proxyTls: { allowH2: false },
    });
  }
  return new Pool(route.url.origin, {
    ...shared,
    connect: createConnector({ ...parts, admission: route.admission, tls: route.tls }),
    factory: (origin, options) => new CountingClient(origin, options),
  });
}

/** A handler that wants to know whether its connection had served another request: such a one may have been closed meanwhile. */
export interface ConnectionAware {
  usedBefore?: () => boolean;
}

/** One connection at a time, counting what it has served. */
class CountingClient extends Client {
  #served = 0;

  constructor(origin: URL, options: ClientOptions.Options) {
    super(origin, options);
    this.on('connect', () => (this.#served = 0));
  }

  override dispatch(
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler & ConnectionAware,
  ): boolean {
    handler.usedBefore = () => this.#served > 0;
    const ended = handler.onResponseEnd?.bind(handler);
    handler.onResponseEnd = (controller, trailers) => {
      this.#served += 1;
      ended?.(controller, trailers);
    };
    return super.dispatch(options, handler);
  }
}
