import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitUntil } from '../processes.ts';
import type { Processes, RunningProcess } from '../processes.ts';
import type { Certificate } from '../certificate.ts';
import type { System } from './system.ts';

export interface BreakwaterOptions {
  readonly processes: Processes;
  /** Holds the configuration, the log and, in `data`, the store. */
  readonly folder: string;
  readonly upstreamUrl: string;
  readonly certificate?: Certificate;
  readonly freshFor?: string;
  /** Lines of YAML beside the bench's own. */
  readonly more?: readonly string[];
  /** Lines of YAML at the end of the list of rules. */
  readonly moreRules?: readonly string[];
  /** Arguments for Node, before the entry: `--cpu-prof`. */
  readonly nodeArguments?: readonly string[];
}

interface RunFile {
  readonly pid: number;
  readonly listen: string;
  readonly adminListen: string;
}

const root = fileURLToPath(new URL('../../..', import.meta.url));
const main = join(root, 'src', 'main.ts');

/** How `npm start` runs Node (decisions/004-memory.md). */
const runtime = JSON.parse(readFileSync(join(root, 'scripts', 'node-runtime.json'), 'utf8')) as {
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly compileCache: string;
};

/** As a user starts it, its access log on and going to a file. Ready once it has written its run file. `spawned` is told before that. */
export async function startBreakwater(
  options: BreakwaterOptions,
  spawned?: (child: RunningProcess) => void,
): Promise<System> {
  const dataDir = join(options.folder, 'data');
  mkdirSync(dataDir, { recursive: true });
  const configFile = join(options.folder, 'breakwater.yaml');
  writeFileSync(configFile, configuration(dataDir, options));
  const child = options.processes.spawn({
    name: 'breakwater',
    role: 'server',
    command: process.execPath,
    arguments: [
      ...runtime.flags,
      ...(options.nodeArguments ?? []),
      main,
      'serve',
      '--config',
      configFile,
    ],
    environment: { ...runtime.env, NODE_COMPILE_CACHE: join(root, runtime.compileCache) },
    outputFile: join(options.folder, 'breakwater.log'),
  });
  spawned?.(child);
  let run: RunFile | undefined;
  await waitUntil(
    `Breakwater (${join(options.folder, 'breakwater.log')})`,
    30_000,
    async () => (run = readRunFile(join(dataDir, 'run.json'), child.pid)) !== undefined,
    child.exited,
  );
  const url = new URL((run as unknown as RunFile).listen);
  return {
    name: options.certificate === undefined ? 'breakwater' : 'breakwater TLS',
    pid: child.pid,
    host: '127.0.0.1',
    port: Number(url.port),
    tls: options.certificate !== undefined,
    path: (repository, rest) => `/v2/docker.io/${repository}/${rest}`,
    stop: () => child.stop(),
  };
}

/** Only of the process asked for: an earlier one may have left its own. */
function readRunFile(path: string, pid: number): RunFile | undefined {
  try {
    const run = JSON.parse(readFileSync(path, 'utf8')) as RunFile;
    return run.pid === pid ? run : undefined;
  } catch {
    return undefined;
  }
}

function configuration(dataDir: string, options: BreakwaterOptions): string {
  const { certificate } = options;
  return [
    'listen: 127.0.0.1:0',
    'adminListen: 127.0.0.1:0',
    `dataDir: ${JSON.stringify(dataDir)}`,
    ...(certificate === undefined
      ? []
      : [
          `tls: {certFile: ${JSON.stringify(certificate.certFile)}, keyFile: ${JSON.stringify(certificate.keyFile)}}`,
        ]),
    ...(options.more ?? []),
    'rules:',
    '  - prefix: docker.io',
    `    upstream: ${options.upstreamUrl}`,
    `    freshFor: ${options.freshFor ?? '24h'}`,
    ...(options.moreRules ?? []),
    '',
  ].join('\n');
}
