import { openAdministrator } from '../access/accounts/administrator.ts';
import type { Administrator } from '../access/accounts/administrator.ts';
import { explainAnonymous } from '../access/authorize/anonymous.ts';
import { openKeyStore } from '../access/secrets/key-store.ts';
import type { KeyStore } from '../access/secrets/key-store.ts';
import { createCache } from '../cache/create-cache.ts';
import type { CacheParts, RunningCache } from '../cache/create-cache.ts';
import type { Config } from '../config/config.ts';
import { homeRegistryOf, registryOf } from '../domain/names/registry.ts';
import type { VersionView } from '../contract/admin-view.ts';
import { createRepeatedCalls } from '../operations/repeated-calls.ts';
import type { RepeatedCalls } from '../operations/repeated-calls.ts';
import { errorText } from '../domain/error-text.ts';
import { createKeyRotation } from '../operations/keys/key-rotation.ts';
import type { KeyRotation } from '../operations/keys/key-rotation.ts';
import type { Clock } from '../ports/clock.ts';
import type { Leases } from '../ports/leases.ts';
import type { Upstream } from '../ports/upstream.ts';
import { createAccessLog } from '../telemetry/access-log.ts';
import type { Log } from '../telemetry/log.ts';
import type { LogOutput } from '../telemetry/log-output.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import type { Metrics, MetricsSources } from '../telemetry/metrics.ts';
import { createPullRecorder } from '../telemetry/pull-recorder.ts';
import { createTelemetry } from '../telemetry/telemetry.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { createUpstream } from '../upstream/client.ts';
import { openAccessControl } from './access-control.ts';
import type { AccessControl } from './access-control.ts';
import { endpointUrl, ownHosts } from './addresses.ts';
import type { Listeners } from './front-ends.ts';
import { openServerRules } from './rules.ts';
import type { ServerRules } from './rules.ts';
import type { Stores } from './stores.ts';

/** After it another process may prune, whether or not the first is still at it. */
const pruneLeaseMs = 600_000;

/** What a running server is now; a reload gives it another configuration. */
export interface ServerState {
  config: Config;
  /** Absent until they are open. */
  listeners: Listeners | undefined;
  draining: boolean;
  /** Of the certificate in force, wall ms. */
  certificateEnd: number | undefined;
}

/** What a server is given by the process that runs it. */
export interface Surroundings {
  readonly clock: Clock;
  readonly log: Log;
  readonly output: LogOutput;
  readonly isTerminal: boolean;
  readonly env: NodeJS.ProcessEnv;
}

/** Everything between the stores and the front-ends. Disposing ends what runs and writes what is gathered, before the stores close. */
export interface Core extends AsyncDisposable {
  readonly upstream: Upstream;
  readonly rules: ServerRules;
  readonly cache: RunningCache;
  readonly access: AccessControl;
  readonly keys: KeyStore;
  readonly keyRotation: KeyRotation;
  readonly administrator: Administrator;
  readonly repeatedCalls: RepeatedCalls;
  readonly telemetry: Telemetry;
  readonly metrics: Metrics;
}

export async function openCore(
  state: ServerState,
  stores: Stores,
  around: Surroundings,
  version: VersionView,
): Promise<Core> {
  const { metadata, invalidations, leases } = stores;
  const { clock, log } = around;
  const home = homeRegistryOf(state.config);
  await using opened = new AsyncDisposableStack();
  const uploadsInFlight = (): number => cache.uploadBodies.count;
  const { metrics, telemetry } = opened.use(
    openTelemetry(state, stores, around, { version: version.version, uploadsInFlight }),
  );
  const upstream = opened.use(createUpstream({ clock, events: telemetry, env: around.env }));
  invalidations.subscribe(({ kind }) => {
    if (kind === 'configuration') upstream.reset();
  });
  const keys = await openKeyStore(state.config.dataDir, clock, {
    settings: state.config.keys,
    env: around.env,
  });
  const keyRotation = opened.use(followKeys(keys, stores, around));
  const onChange = (): void => cache.rulesChanged();
  const rules = opened.use(
    await openServerRules(() => state.config, { ...stores, ...around, sealing: keys, onChange }),
  );
  const events = telemetry;
  const shared = { ...stores, upstream, clock, events, rules: rules.book.inForce.of };
  const cache = opened.use(createServerCache(state, shared));
  const administrator = await openAdministrator(state.config.dataDir, {
    region: registryOf(home).region,
    endpointUrl: () => endpointUrl(state.config, state.listeners),
    onChange: () => invalidations.note({ kind: 'credentials' }),
  });
  const access = opened.use(
    await openAccessControl({
      config: () => state.config,
      metadata,
      keys,
      administrator,
      clock,
      invalidations,
      pruneAudit: (limits) =>
        inOneProcess(leases, 'prune audit', () => metadata.records.pruneAudit(limits)),
      log,
      audited: ({ kind, outcome }) => metrics.audited(kind, outcome),
    }),
  );
  const repeatedCalls = opened.use(createRepeatedCalls({ metadata, clock }));
  const all = opened.move();
  return {
    upstream,
    rules,
    cache,
    access,
    keys,
    keyRotation,
    administrator,
    repeatedCalls,
    telemetry,
    metrics,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Keys that are read again when another process has others, and what seals everything by another one. */
function followKeys(
  keys: KeyStore,
  { metadata, invalidations, leases }: Stores,
  { clock, log }: Surroundings,
): KeyRotation {
  const failed = (message: string, about: Readonly<Record<string, unknown>>): void =>
    log.error(message, { logger: 'keys', ...about });
  invalidations.subscribe(({ kind }) => {
    if (kind !== 'keys') return;
    void keys.reload().catch((error: unknown) =>
      failed('the keys could not be read again, those that were there stay in use', {
        error: errorText(error),
      }),
    );
  });
  const note = (message: string, about: Readonly<Record<string, unknown>>): void =>
    log.info(message, { logger: 'keys', ...about });
  return createKeyRotation({ keys, metadata, invalidations, leases, clock, note, failed });
}

function createServerCache(
  state: ServerState,
  shared: Omit<CacheParts, 'registry' | 'ownHosts' | 'anonymousAccess'>,
): RunningCache {
  const { config } = state;
  return createCache(
    {
      ...shared,
      registry: homeRegistryOf(config),
      ownHosts: () => ownHosts(state.config, state.listeners),
      anonymousAccess: explainAnonymous,
    },
    {
      ...config.cache,
      downloadsMax: config.limits.downloadsMax,
      pushSettings: () => state.config,
    },
  );
}

interface Counting extends AsyncDisposable {
  readonly metrics: Metrics;
  readonly telemetry: Telemetry;
}

function openTelemetry(
  state: ServerState,
  { metadata, blobs, leases }: Stores,
  { clock, log, output, isTerminal }: Surroundings,
  sources: Pick<MetricsSources, 'version' | 'uploadsInFlight'>,
): Counting {
  const metrics = createMetrics({
    ...sources,
    commit: 'unknown',
    requestsInFlight: () => inFlight(state.listeners),
    certificateEnd: () => state.certificateEnd,
    space: () => blobs.space(),
  });
  const pulls = createPullRecorder({
    clock,
    record: (records) => metadata.records.recordPulls(records),
    prune: (limits) =>
      inOneProcess(leases, 'prune pulls', () => metadata.records.prunePulls(limits)),
    onFailure: (message, error) => log.warn(message, { error: String(error) }),
  });
  const accessLog = isTerminal ? undefined : createAccessLog(output);
  const registry = homeRegistryOf(state.config);
  return {
    metrics,
    telemetry: createTelemetry({ registry, clock, log, metrics, pulls, accessLog }),
    [Symbol.asyncDispose]: () => pulls[Symbol.asyncDispose](),
  };
}

/** Does the work unless another process that uses the same database is at it. */
async function inOneProcess(
  leases: Leases,
  name: string,
  work: () => Promise<unknown>,
): Promise<void> {
  await using lease = await leases.take(name, pruneLeaseMs);
  if (lease !== undefined) await work();
}

function inFlight(listeners: Listeners | undefined): number {
  return (listeners?.main.inFlight ?? 0) + (listeners?.hub?.inFlight ?? 0);
}
