// A running Breakwater for tests: `serve` in a process of its own, on loopback, with a data folder that outlives restarts.
import { randomUUID } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Agent, request } from 'undici';
import { stringify } from 'yaml';
import type { Running } from './process.ts';
import { startProcess } from './process.ts';
import { until } from '../rigs/until.ts';
import { makeRunFolder, removeRunFolder } from './run-folder.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** What is started; every key of the configuration file may be given, listeners and dataDir are set here. */
export interface BreakwaterOptions {
  readonly config?: Readonly<Record<string, unknown>>;
  /** Turns the Hub-only listener on. */
  readonly hubMirror?: boolean;
  /** JavaScript to run instead of `src/main.ts`. */
  readonly entry?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A rule of the file, with a front's URL as its upstream. */
export interface RuleEntry {
  readonly prefix: string;
  readonly upstream: string;
  readonly [key: string]: unknown;
}

export interface Breakwater {
  /** `http://127.0.0.1:PORT`; another one after a restart. */
  readonly url: string;
  readonly host: string;
  readonly adminUrl: string;
  readonly hubMirrorUrl: string | undefined;
  readonly pid: number;
  readonly dataDir: string;
  readonly configFile: string;
  /**
   * stdout and stderr of every start, in whole lines. They come after what they tell of: what must be there is asked of
   * `untilLogged`, what must not be there of `settledLogs`.
   */
  logs(): string;
  /** The first match in `logs()`; throws after 20 s without one. */
  untilLogged(pattern: RegExp): Promise<RegExpExecArray>;
  /** `logs()` with all that was logged before the call: it sends a request, and waits for its line. */
  settledLogs(): Promise<string>;
  /** Rewrites the configuration file; a running server reloads it by itself. */
  configure(config: Readonly<Record<string, unknown>>): Promise<void>;
  /** SIGTERM by default; answers the exit code or the signal's name. */
  stop(signal?: NodeJS.Signals): Promise<number | string>;
  kill9(): Promise<void>;
  /** Starts again with the same data and configuration; a running one is stopped first. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  close(): Promise<void>;
}

interface RunFile {
  readonly pid: number;
  readonly listen: string;
  readonly adminListen: string;
  readonly hubMirrorListen?: string;
}

const startLimitMs = 30_000;

/** Only these rules, so that no test reaches out by a built-in one. */
export function rulesOnly(...rules: readonly RuleEntry[]): Record<string, unknown> {
  return { defaultRules: false, rules };
}

/** Starts Breakwater and waits until it listens. */
export async function startBreakwater(options: BreakwaterOptions = {}): Promise<Breakwater> {
  const folder = await makeRunFolder('breakwater');
  const dataDir = join(folder, 'data');
  const configFile = join(folder, 'breakwater.yaml');
  const earlier: string[] = [];
  let process: Running;
  let run: RunFile;

  const configure = async (config: Readonly<Record<string, unknown>>): Promise<void> => {
    const listeners = {
      listen: '127.0.0.1:0',
      adminListen: '127.0.0.1:0',
      ...(options.hubMirror === true ? { hubMirrorListen: '127.0.0.1:0' } : {}),
    };
    await writeFile(configFile, stringify({ ...listeners, dataDir, drain: '10s', ...config }));
  };

  const start = async (): Promise<void> => {
    const runFile = join(dataDir, 'run.json');
    await rm(runFile, { force: true });
    const entry = options.entry ?? join(root, 'src', 'main.ts');
    process = startProcess(globalThis.process.execPath, [entry, 'serve', '--config', configFile], {
      env: { ...options.env },
      cwd: folder,
    });
    run = await until(
      async () => {
        if (process.child.exitCode !== null || process.child.signalCode !== null) {
          throw new Error(`Breakwater ended at once:\n${process.output()}`);
        }
        return await readRunFile(runFile, process.child.pid);
      },
      'Breakwater writes run.json',
      startLimitMs,
    ).catch(async (error: unknown) => {
      // Left running it would keep the test file from its end.
      await process.stop('SIGKILL');
      throw error;
    });
  };

  const logs = (): string => {
    const text = [...earlier, process.output()].join('');
    return text.slice(0, text.lastIndexOf('\n') + 1);
  };
  const untilLogged = async (pattern: RegExp): Promise<RegExpExecArray> =>
    await until(() => pattern.exec(logs()) ?? undefined, `the log has ${pattern}`);

  await configure(options.config ?? rulesOnly());
  await start();
  return {
    get url() {
      return run.listen;
    },
    get host() {
      return new URL(run.listen).host;
    },
    get adminUrl() {
      return run.adminListen;
    },
    get hubMirrorUrl() {
      return run.hubMirrorListen;
    },
    get pid() {
      return run.pid;
    },
    dataDir,
    configFile,
    logs,
    untilLogged,
    async settledLogs() {
      const mark = randomUUID();
      await askOnce(`${run.listen}/v2/`, mark);
      await untilLogged(new RegExp(mark));
      return logs();
    },
    configure,
    stop: async (signal = 'SIGTERM') => await process.stop(signal, 30_000),
    async kill9() {
      await process.stop('SIGKILL');
    },
    async restart() {
      await process.stop('SIGTERM', 30_000);
      earlier.push(process.output());
      await start();
    },
    async close() {
      await process.stop('SIGTERM', 15_000);
      await removeRunFolder(folder);
    },
  };
}

/** Any answer will do, and any certificate. */
async function askOnce(url: string, userAgent: string): Promise<void> {
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  try {
    const { body } = await request(url, { dispatcher, headers: { 'user-agent': userAgent } });
    await body.dump();
  } finally {
    await dispatcher.close();
  }
}

async function readRunFile(file: string, pid: number | undefined): Promise<RunFile | undefined> {
  try {
    const run = JSON.parse(await readFile(file, 'utf8')) as RunFile;
    return run.pid === pid ? run : undefined;
  } catch {
    return undefined;
  }
}

/** The administrator's pair from `dataDir/credentials`. */
export async function credentialsOf({
  dataDir,
}: Pick<Breakwater, 'dataDir'>): Promise<{ readonly key: string; readonly secret: string }> {
  const text = await readFile(join(dataDir, 'credentials'), 'utf8');
  const key = /aws_access_key_id\s*=\s*(\S+)/.exec(text)?.[1];
  const secret = /aws_secret_access_key\s*=\s*(\S+)/.exec(text)?.[1];
  if (key === undefined || secret === undefined) throw new Error('no key pair in credentials');
  return { key, secret };
}

/** Requests that are being answered, those to `adminListen` not counted. */
export async function requestsInFlight({ adminUrl }: Breakwater): Promise<number> {
  const page = await (await fetch(`${adminUrl}/metrics`)).text();
  return Number(/^breakwater_http_requests_in_flight (\d+)/m.exec(page)?.[1] ?? Number.NaN);
}

/** The administrator's pair, as an Authorization header. */
export async function basicOf(breakwater: Breakwater): Promise<string> {
  const { key, secret } = await credentialsOf(breakwater);
  return `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`;
}
