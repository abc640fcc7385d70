import { resolve } from 'node:path';
import { errorText } from '../domain/error-text.ts';
import { parseDigest } from '../domain/names/digest.ts';
import type { HealthCheck } from '../api/health/health.ts';
import type { Administrator } from '../access/accounts/administrator.ts';
import { readVersion } from '../cli/commands/version.ts';
import type { RunRecord } from '../cli/server/run-record.ts';
import type { Config } from '../config/config.ts';
import { repeat } from '../coordination/repeat.ts';
import { systemClock } from '../coordination/system-clock.ts';
import type { Clock } from '../ports/clock.ts';
import { createLog } from '../telemetry/log.ts';
import type { Log } from '../telemetry/log.ts';
import { GatheringLogOutput, fileSink } from '../telemetry/log-output.ts';
import { addressesOf } from './addresses.ts';
import type { Addresses } from './addresses.ts';
import { tellClockSteps } from './notices/clock-steps.ts';
import { openCore } from './core.ts';
import type { Core, ServerState, Surroundings } from './core.ts';
import { openDataFolder } from './data-folder.ts';
import { openListeners } from './front-ends.ts';
import type { Listeners } from './front-ends.ts';
import { greetingOf } from './greeting.ts';
import { collectWhenIdle, keepThreadsSmall, processMemory } from './idle-memory.ts';
import { importWarning } from './notices/import-warning.ts';
import { plainHttpWarning } from './notices/plain-http-warning.ts';
import { tellSealingKeys } from './notices/sealing-keys.ts';
import { keepingRestartOnly, reloadOnChange } from './reload.ts';
import { listenForStop, pause } from './shutdown.ts';
import { openStores } from './stores.ts';
import type { Stores } from './stores.ts';
import { keepTlsFresh } from './tls-files.ts';
import { watchUnforeseenErrors } from './unforeseen-errors.ts';
import {
  collectUnusedBlobs,
  expireByPolicies,
  pruneCallRecords,
  purgeDeletedSecrets,
  retireOldKeys,
} from './upkeep.ts';

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
  await using output = new GatheringLogOutput(fileSink(1), clock);
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
    const { env } = options;
    await run(config, options, { clock, log, output, isTerminal, env, asked: stop.asked });
    return 0;
  } catch (error) {
    log.error(errorText(error), { logger: 'serve' });
    return 1;
  }
}

interface Process extends Surroundings {
  /** Settles when the process is told to stop. */
  readonly asked: Promise<NodeJS.Signals>;
}

async function run(first: Config, options: ServeOptions, around: Process): Promise<void> {
  const { clock, log } = around;
  const state: ServerState = {
    config: first,
    listeners: undefined,
    draining: false,
    certificateEnd: undefined,
  };
  const version = readVersion();
  keepThreadsSmall();
  await using folder = await openDataFolder(first.dataDir);
  await using stores = await openStores({
    dataDir: first.dataDir,
    clock,
    log,
    events: { emit: (event) => core.telemetry.emit(event) },
  });
  await using core: Core = await openCore(state, stores, around, version);
  const open = await openListeners({
    ...core,
    ...around,
    metadata: stores.metadata,
    invalidations: stores.invalidations,
    config: () => state.config,
    version,
    ready: readiness(state, stores),
  });
  state.listeners = open;
  await core.administrator.reopen();

  const ended = new AbortController();
  using _spool = sweepOften(clock, () => stores.spool.sweep(), log);
  using _uploads = sweepOften(clock, () => stores.uploads.sweep(), log);
  const imports = createImportWarnings(log);
  await followChanges(options, { state, stores, core, clock, log, imports }, ended.signal);
  core.metrics.configReloaded(true, clock.now());
  // Whoever reads this may send SIGHUP or change the file at once.
  await folder.writeRunRecord(runRecordOf(state.config, open, options.configFile));
  announce(state.config, addressesOf(state.config, open), around);
  imports.tell(state.config);

  await using _expiry = expireByPolicies(state, stores, core, around);
  await using _collection = collectUnusedBlobs(stores, around);
  await using _purge = purgeDeletedSecrets(stores, around);
  await using _calls = pruneCallRecords(stores, around);
  await using _keys = retireOldKeys(stores, core, around);
  void tellSealingKeys(stores.metadata, core.keys, log);
  using _steps = tellClockSteps(clock, log);
  using _memory = collectWhenIdle({ clock, ...processMemory() });
  const signal = await around.asked;
  state.draining = true;
  ended.abort();
  await untilDrained(open, state.config, signal, log);
}

interface Changing {
  readonly state: ServerState;
  readonly stores: Stores;
  readonly core: Core;
  readonly clock: Clock;
  readonly log: Log;
  readonly imports: ImportWarnings;
}

/** Puts in force what changes while the server runs, until the signal aborts: certificate, administrator's key, configuration. */
async function followChanges(
  { configFile, env }: ServeOptions,
  { state, stores, core, clock, log, imports }: Changing,
  signal: AbortSignal,
): Promise<void> {
  const { tls } = state.config;
  if (tls !== undefined) {
    await keepTlsFresh(
      tls,
      {
        log,
        apply: (pair) => state.listeners?.main.setTls(pair),
        onResult: (_successful, notAfterMs) => (state.certificateEnd = notAfterMs),
      },
      signal,
    );
  }
  await reloadOnChange(
    {
      load: { file: configFile, env, cwd: process.cwd() },
      log,
      current: () => state.config,
      reopen: () => reopenCredentials(core.administrator, log),
      apply: (next) => {
        state.config = keepingRestartOnly(state.config, next);
        stores.invalidations.note({ kind: 'configuration' });
        imports.tell(state.config);
      },
      onResult: (successful) => core.metrics.configReloaded(successful, clock.now()),
    },
    signal,
  );
}

interface ImportWarnings {
  tell(config: Config): void;
}

/** Warns at the start, and again where a reload makes it another warning. */
function createImportWarnings(log: Log): ImportWarnings {
  let last: string | undefined;
  return {
    tell: (config) => {
      const warning = importWarning(config);
      if (warning !== undefined && warning !== last)
        log.warn(warning, { setting: 'anonymousImport' });
      last = warning;
    },
  };
}

function runRecordOf(
  config: Config,
  listeners: Listeners,
  configFile: string | undefined,
): RunRecord {
  return {
    pid: process.pid,
    cwd: process.cwd(),
    ...(configFile === undefined ? {} : { configFile: resolve(configFile) }),
    ...addressesOf(config, listeners),
    ...(config.publicUrl === '' ? {} : { publicUrl: config.publicUrl }),
    ...(config.tls === undefined ? {} : { certFile: config.tls.certFile }),
  };
}

function announce(
  config: Config,
  addresses: Addresses,
  { isTerminal, output, log }: Surroundings,
): void {
  const { dataDir, rules } = config;
  if (isTerminal) output.write(greetingOf(addresses, config));
  else log.info('serving', { ...addresses, data_dir: dataDir, rules: rules.length });
  const warning = plainHttpWarning(config);
  if (warning !== undefined) log.warn(warning, { setting: 'listen' });
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
async function untilDrained(
  { main, hub, admin }: Listeners,
  { shutdownDelayMs, drainMs }: Config,
  signal: NodeJS.Signals,
  log: Log,
): Promise<void> {
  log.info(`${signal}: draining, running pulls may finish; once more ends it at once`, {
    shutdown_delay_ms: shutdownDelayMs,
    drain_ms: drainMs,
  });
  if (shutdownDelayMs > 0) await pause(shutdownDelayMs);
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
  state: ServerState,
  { metadata, blobs }: Pick<Stores, 'metadata' | 'blobs'>,
): readonly HealthCheck[] {
  const empty = parseDigest(`sha256:${'0'.repeat(64)}`);
  return [
    {
      name: 'draining',
      check: () => {
        if (state.draining) throw new Error('the server is shutting down');
      },
    },
    { name: 'metadata', check: async () => void (await metadata.identities.findAccount('')) },
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
