import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { Client } from 'pg';

const startTimeoutMs = 30_000;

/** A throw-away PostgreSQL on loopback. */
export interface PostgresCluster extends AsyncDisposable {
  /** A connection string to a new, empty database. */
  createDatabase(): Promise<string>;
}

/** Why there is no PostgreSQL to test with; `undefined` when there is one. */
export function postgresMissing(): string | undefined {
  if (!binariesFolder())
    return 'PostgreSQL is not installed (no initdb in PATH or /usr/lib/postgresql/*/bin)';
  if (process.getuid?.() === 0 && spawnSync('setpriv', ['--version']).error)
    return 'PostgreSQL does not run as root, and setpriv is not installed';
  return undefined;
}

function binariesFolder(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian)
    ? readdirSync(debian).toSorted((a, b) => Number(b) - Number(a))
    : [];
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    ...versions.map((version) => join(debian, version, 'bin')),
  ];
  return folders.find(
    (folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')),
  );
}

/** Starts a cluster in a temporary folder, removed when disposed. Throws where `postgresMissing` says so. */
export async function startPostgres(): Promise<PostgresCluster> {
  const binaries = binariesFolder();
  if (binaries === undefined) throw new Error(postgresMissing());
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-postgres-'));
  const data = join(folder, 'data');
  const unprivileged =
    process.getuid?.() === 0
      ? ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups']
      : [];
  const command = (name: string, ...rest: string[]): [string, string[]] => {
    const [first = '', ...others] = [...unprivileged, join(binaries, name), ...rest];
    return [first, others];
  };
  if (unprivileged.length > 0) spawnSync('chown', ['nobody:nogroup', folder]);
  const made = spawnSync(
    ...command(
      'initdb',
      '-D',
      data,
      '-U',
      'breakwater',
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--no-locale',
      '--no-sync',
    ),
    {
      cwd: folder,
      encoding: 'utf8',
    },
  );
  if (made.status !== 0) {
    rmSync(folder, { recursive: true, force: true });
    throw new Error(`initdb failed: ${made.stderr || String(made.error)}`);
  }
  const port = await freePort();
  const settings = [
    'fsync=off',
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${folder}`,
    `port=${port}`,
    'max_connections=100',
  ];
  const server = spawn(
    ...command('postgres', '-D', data, ...settings.flatMap((setting) => ['-c', setting])),
    {
      cwd: folder,
      stdio: 'ignore',
    },
  );
  const ended = once(server, 'exit');
  const urlOf = (database: string): string => `postgres://breakwater@127.0.0.1:${port}/${database}`;
  const dispose = async (): Promise<void> => {
    if (server.exitCode === null) server.kill('SIGINT');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await untilReady(urlOf('postgres'), () => server.exitCode);
  } catch (error) {
    await dispose();
    throw error;
  }
  let databases = 0;
  return {
    async createDatabase() {
      const name = `test_${(databases += 1)}`;
      await execute(urlOf('postgres'), `create database ${name}`);
      return urlOf(name);
    },
    [Symbol.asyncDispose]: dispose,
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function untilReady(url: string, exitCode: () => number | null): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  for (;;) {
    try {
      await execute(url, 'select 1');
      return;
    } catch (error) {
      if (exitCode() !== null)
        throw new Error(`postgres ended with code ${exitCode()}`, { cause: error });
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
