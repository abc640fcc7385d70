import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config/config.ts';
import { ConfigError, formatProblem } from '../config/config-error.ts';
import { readConfig } from '../config/load.ts';
import type { LoadOptions } from '../config/load.ts';
import { watchConfig } from '../config/watch.ts';
import type { Log } from '../telemetry/log.ts';

/** Settings that a running server can't change; the others follow a reload. */
const restartOnly = [
  'listen',
  'adminListen',
  'hubMirrorListen',
  'tls',
  'dataDir',
  'cache',
  'limits',
  'keys',
  'registryId',
  'regions',
] as const satisfies readonly (keyof Config)[];

/** `next`, with the settings of `before` that take a restart. */
export function keepingRestartOnly(before: Config, next: Config): Config {
  const kept = Object.fromEntries(restartOnly.map((key) => [key, before[key]]));
  return { ...next, ...(kept as Pick<Config, (typeof restartOnly)[number]>) };
}

export interface ReloadParts {
  readonly load: LoadOptions;
  readonly log: Log;
  /** The configuration in force. */
  readonly current: () => Config;
  /** Reads again what lies beside the configuration. Never throws. */
  readonly reopen: () => Promise<void>;
  /** Puts a checked configuration in force. */
  readonly apply: (config: Config) => void;
  readonly onResult: (successful: boolean) => void;
}

/** Reads the configuration again: a bad one keeps the old in force and says what is wrong, with line and column. */
export async function reload(parts: ReloadParts): Promise<void> {
  const { log } = parts;
  await parts.reopen();
  try {
    const { config } = await readConfig(parts.load);
    const before = parts.current();
    for (const key of restartOnly) {
      if (!isDeepStrictEqual(config[key], before[key]))
        log.warn(`${key} changed: it takes a restart`, { setting: key });
    }
    parts.apply(config);
    parts.onResult(true);
    log.info('configuration reloaded', { rules: config.rules.length });
  } catch (error) {
    parts.onResult(false);
    if (!(error instanceof ConfigError)) {
      log.error('configuration not reloaded, the old one stays in force', { error: String(error) });
      return;
    }
    for (const problem of error.problems) {
      log.error('configuration not reloaded, the old one stays in force', {
        problem: formatProblem(problem),
      });
    }
  }
}

/** Reloads on SIGHUP and when a file that the configuration was read from changes, one reload at a time, until the signal aborts. */
export async function reloadOnChange(parts: ReloadParts, signal: AbortSignal): Promise<void> {
  let running = Promise.resolve();
  const again = (): void => {
    running = running.then(() => reload(parts));
  };
  process.on('SIGHUP', again);
  signal.addEventListener('abort', () => process.off('SIGHUP', again), { once: true });
  const { files } = await readConfig(parts.load);
  if (files.length > 0) await watchConfig(files, again, {}, signal);
}
