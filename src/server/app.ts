import { join } from 'node:path';
import { errorText } from '../domain/error-text.ts';
import { openAccessControl } from './access-control.ts';
import { addressesOf, ownHosts, urlOf } from './addresses.ts';
import type { HealthCheck } from '../api/health/health.ts';
import { explainAnonymous } from '../access/authorize/anonymous.ts';
import { openAdministrator, type Administrator } from '../access/accounts/administrator.ts';
import { createCache } from '../cache/create-cache.ts';
import { dialable } from '../cli/server/server-address.ts';
import { readVersion } from '../cli/commands/version.ts';
import { tellClockSteps } from './clock-steps.ts';
import type { Config } from '../config/config.ts';
import { openDataFolder } from './data-folder.ts';
import { parseDigest } from '../domain/names/digest.ts';
import { homeRegistryOf, registryOf } from '../domain/names/registry.ts';
import { createRuleSet } from '../domain/rules/rule-set.ts';
import { greetingOf } from './greeting.ts';
import { collectWhenIdle, keepThreadsSmall, processMemory } from './idle-memory.ts';
import { openListeners, type Listeners } from './front-ends.ts';
import { importWarning } from './import-warning.ts';
import { openSqliteMetadata } from '../metadata/engine/sqlite.ts';
import { repeat } from '../coordination/repeat.ts';
import type { Clock } from '../ports/clock.ts';
import { plainHttpWarning } from './plain-http-warning.ts';
import { keepingRestartOnly, reloadOnChange } from './reload.ts';
import { listenForStop, pause } from './shutdown.ts';
import { createFileStorage } from '../storage/file-storage.ts';
import { createLocalInvalidations } from '../coordination/local-invalidations.ts';
import { systemClock } from '../coordination/system-clock.ts';
import { createAccessLog } from '../telemetry/access-log.ts';
import { createLog, type Log } from '../telemetry/log.ts';
import { createLogOutput, fileSink, type LogOutput } from '../telemetry/log-output.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { createPullRecorder } from '../telemetry/pull-recorder.ts';
import { createTelemetry } from '../telemetry/telemetry.ts';
import { keepTlsFresh } from './tls-files.ts';
import { watchUnforeseenErrors } from './unforeseen-errors.ts';
import { createUpstream } from '../upstream/client.ts';

const sweepEveryMs = 3_600_000;

export interface ServeOptions {
  /** As the operator named it; absent: defaults and environment alone. */
  readonly configFile?: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Serves until SIGTERM or SIGINT, then drains; answers the exit code. What can't be opened is told on the log, exit 1. */
export async function serve(config: Config, options: ServeOptions): Promise<number> {
  const clock = systemClock;
  const isTerminal = process.stdout.isTTY;
  await using output = createLogOutput(fileSink(1), clock);
  const log = createLog({ output, clock, format: isTerminal ? 'text' : 'json', level: 'info' });
  const endNow = (): void => {
    output.flushSync();
    process.exit(1);
  };
  using _unforeseen = watchUnforeseenErrors(log, endNow);
  using stop = listenForStop(clock, (signal) => {
    log.warn(`${signal} again: what was still running is cut, its partials are kept`);
    endNow();
  });
  try {
    await run(config, options, { clock, log, output, isTerminal, asked: stop.asked });
    return 0;
  } catch (error) {
    log.error(errorText(error), { logger: 'serve' });
    return 1;
  }
}

interface Surroundings {
  readonly clock: Clock;
  readonly log: Log;
  readonly output: LogOutput;
  readonly isTerminal: boolean;
  readonly asked: Promise<NodeJS.Signals>;
}

async function run(first: Config, options: ServeOptions, around: Surroundings): Promise<void> {
  const { clock, log, output, asked } = around;
  const { dataDir } = first;
  let config = first;
  let rules = createRuleSet(config.rules);
  let draining = false;
  let certificateEnd: number | undefined;
  const home = homeRegistryOf(config);
  const listeners: { now: Listeners | undefined } = { now: undefined };

  let toldImports: string | undefined;
  const tellImports = (): void => {
    const closed = importWarning(config);
    if (closed !== undefined && closed !== toldImports)
      log.warn(closed, { setting: 'anonymousImport' });
    toldImports = closed;
  };

  const invalidations = createLocalInvalidations((error) =>
    log.error('what is remembered could not be forgotten', { error: errorText(error) }),
  );
  keepThreadsSmall();
  await using folder = await openDataFolder(dataDir);
  await using metadata = await openSqliteMetadata(join(dataDir, 'metadata.sqlite'), {
    onFailure: ({ message }) => log.error(message, { logger: 'metadata' }),
  });
  await using pulls = createPullRecorder({
    clock,
    record: (records) => metadata.records.recordPulls(records),
    prune: (limits) => metadata.records.prunePulls(limits),
    onFailure: (message, error) => log.warn(message, { error: String(error) }),
  });
  const version = readVersion();
  const metrics = createMetrics({
    version: version.version,
    commit: 'unknown',
    requestsInFlight: () => inFlight(listeners.now),
    uploadsInFlight: () => cache.uploadBodies.count,
    certificateEnd: () => certificateEnd,
    space: () => storage.blobs.space(),
  });
  const accessLog = around.isTerminal ? undefined : createAccessLog(output, clock);
  const telemetry = createTelemetry({
    registry: home,
    clock,
    log,
    metrics,
    pulls,
    accessLog,
  });
  await using storage = await createFileStorage({ dataDir, clock, events: telemetry });
  await using upstream = createUpstream({ clock, events: telemetry, env: options.env });
  invalidations.subscribe(({ kind }) => {
    if (kind === 'configuration') upstream.reset();
  });
  await using cache = createCache(
    {
      metadata,
      ...storage,
      upstream,
      clock,
      events: telemetry,
      invalidations,
      registry: home,
      rules: () => rules,
      ownHosts: () => ownHosts(config, listeners.now),
      anonymousAccess: explainAnonymous,
    },
    {
      ...config.cache,
      downloadsMax: config.limits.downloadsMax,
      pushSettings: () => config,
    },
  );
  const administrator = await openAdministrator(dataDir, {
    region: registryOf(home).region,
    endpointUrl: () => endpointUrl(config, listeners.now),
    onChange: () => invalidations.note({ kind: 'credentials' }),
  });
  await using access = await openAccessControl({
    config: () => config,
    metadata,
    administrator,
    clock,
    invalidations,
    log,
    audited: ({ kind, outcome }) => metrics.audited(kind, outcome),
  });

  const open = await openListeners({
    config: () => config,
    rules: () => rules,
    cache,
    metadata,
    upstream,
    access,
    clock,
    log,
    version,
    onServed: (served) => telemetry.served(served),
    metrics: async () => ({ contentType: metrics.contentType, text: await metrics.scrape() }),
    ready: readiness(() => draining, metadata, storage.blobs),
  });
  listeners.now = open;
  const addresses = addressesOf(config, open);
  await administrator.reopen();

  const ended = new AbortController();
  using _spool = sweepOften(clock, () => storage.spool.sweep(), log);
  using _uploads = sweepOften(clock, () => storage.uploads.sweep(), log);
  if (config.tls !== undefined) {
    await keepTlsFresh(
      config.tls,
      {
        log,
        apply: (pair) => open.main.setTls(pair),
        onResult: (_successful, notAfterMs) => (certificateEnd = notAfterMs),
      },
      ended.signal,
    );
  }
  await reloadOnChange(
    {
      load: { file: options.configFile, env: options.env, cwd: process.cwd() },
      log,
      current: () => config,
      reopen: () => reopenCredentials(administrator, log),
      apply: (next) => {
        config = keepingRestartOnly(config, next);
        rules = createRuleSet(config.rules);
        invalidations.note({ kind: 'configuration' });
        tellImports();
      },
      onResult: (successful) => metrics.configReloaded(successful, clock.now()),
    },
    ended.signal,
  );
  metrics.configReloaded(true, clock.now());
  // Whoever reads this may send SIGHUP or change the file at once.
  await folder.writeRunRecord({
    pid: process.pid,
    ...addresses,
    ...(config.publicUrl === '' ? {} : { publicUrl: config.publicUrl }),
    ...(config.tls === undefined ? {} : { certFile: config.tls.certFile }),
  });
  const { rules: served } = config;
  if (around.isTerminal) output.write(greetingOf(addresses, config));
  else log.info('serving', { ...addresses, data_dir: dataDir, rules: served.length });
  const warning = plainHttpWarning(config);
  if (warning !== undefined) log.warn(warning, { setting: 'listen' });
  tellImports();

  using _steps = tellClockSteps(clock, log);
  using _memory = collectWhenIdle({ clock, ...processMemory() });
  const signal = await asked;
  draining = true;
  ended.abort();
  log.info(`${signal}: draining, running pulls may finish; once more ends it at once`, {
    shutdown_delay_ms: config.shutdownDelayMs,
    drain_ms: config.drainMs,
  });
  if (config.shutdownDelayMs > 0) await pause(config.shutdownDelayMs);
  await drain(open, config.drainMs, log);
}

/** Of `dataDir/credentials`: an address that clients on this machine can dial; the port is the listener's once there is one. */
function endpointUrl(config: Config, listeners: Listeners | undefined): string {
  if (config.publicUrl !== '') return config.publicUrl;
  return dialable(
    listeners === undefined
      ? urlOf(config.listen, config.listen.port, config)
      : addressesOf(config, listeners).listen,
  );
}

/** What an operator changed in `dataDir/credentials`, or removed. */
async function reopenCredentials(administrator: Administrator, log: Log): Promise<void> {
  try {
    if (await administrator.reopen())
      log.info("the administrator's key is another now, and the old one is refused", {
        access_key_id: administrator.pair().accessKeyId,
        file: administrator.file,
      });
  } catch (error) {
    log.error("the administrator's key was not read again, the old one stays in force", {
      error: errorText(error),
    });
  }
}

/** Running pulls finish within the drain; what is left is cut. The admin listener answers to the end. */
async function drain({ main, hub, admin }: Listeners, drainMs: number, log: Log): Promise<void> {
  const serving = hub === undefined ? [main] : [main, hub];
  const ends = await Promise.all(serving.map((server) => server.drain(drainMs)));
  if (ends.includes('cut'))
    log.warn('pulls were cut at the end of the drain; their partials are kept', {
      drain_ms: drainMs,
    });
  await admin.cut();
}

/** Ready means that pulls can be served from here: storage readable, not draining. Upstreams and writability are no part of it. */
function readiness(
  isDraining: () => boolean,
  metadata: Awaited<ReturnType<typeof openSqliteMetadata>>,
  blobs: { size(digest: NonNullable<ReturnType<typeof parseDigest>>): Promise<number | undefined> },
): readonly HealthCheck[] {
  const empty = parseDigest(`sha256:${'0'.repeat(64)}`);
  return [
    {
      name: 'draining',
      check: () => {
        if (isDraining()) throw new Error('the server is shutting down');
      },
    },
    { name: 'metadata', check: async () => void (await metadata.records.listPulls(1)) },
    {
      name: 'storage',
      check: async () => {
        if (empty !== undefined) await blobs.size(empty);
      },
    },
  ];
}

function sweepOften(clock: Clock, sweep: () => Promise<void>, log: Log): Disposable {
  const run = (): void =>
    void sweep().catch((error: unknown) =>
      log.warn('what was left behind could not be swept', { error: String(error) }),
    );
  run();
  return repeat(clock, sweepEveryMs, run);
}

function inFlight(listeners: Listeners | undefined): number {
  return (listeners?.main.inFlight ?? 0) + (listeners?.hub?.inFlight ?? 0);
}
