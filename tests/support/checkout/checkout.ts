// A checkout of two small packages, and the npm registry on loopback that has them: what `npm start` does to a fresh clone, without a network.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProcess } from '../processes/process.ts';
import type { Running } from '../processes/process.ts';

const scripts = fileURLToPath(new URL('../../../scripts/', import.meta.url));

export interface Checkout extends AsyncDisposable {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Packages that were asked of the registry so far. */
  readonly asked: readonly string[];
  /** `stalls`: it takes requests and never answers. */
  registry(state: 'answers' | 'stalls' | 'is away'): void;
  /** Makes package.json and its lockfile ask for this version of the one package that the program needs. */
  want(version: '1.0.0' | '2.0.0'): Promise<void>;
  /** `npm start`'s own program; it prints `hello VERSION` and ends. */
  start(entry?: string): Running;
}

interface Package {
  readonly tarball: Buffer;
  readonly integrity: string;
}

export async function makeCheckout(): Promise<Checkout> {
  const base = await mkdtemp(join(tmpdir(), 'breakwater-checkout-'));
  const folder = join(base, 'breakwater');
  await mkdir(join(folder, 'scripts'), { recursive: true });
  await mkdir(join(folder, 'src'));
  for (const name of ['start.mjs', 'install.mjs', 'install-lock.mjs', 'node-runtime.json'])
    await copyFile(join(scripts, name), join(folder, 'scripts', name));
  const program = "import { version } from 'greeting';\nconsole.log('hello', version);\n";
  await writeFile(join(folder, 'src', 'main.ts'), program);
  await writeFile(join(folder, 'scripts', 'check.ts'), `import 'tool';\n${program}`);
  const packages = new Map<string, Package>();
  for (const [name, version] of [
    ['greeting', '1.0.0'],
    ['greeting', '2.0.0'],
    ['tool', '1.0.0'],
  ] as const)
    packages.set(`${name}-${version}.tgz`, await pack(base, name, version));

  const asked: string[] = [];
  let state: 'answers' | 'stalls' | 'is away' = 'answers';
  const server = createServer((request, response) => {
    const name = (request.url ?? '').split('/').at(-1) ?? '';
    asked.push(name);
    const found = packages.get(name);
    if (state === 'is away') return void request.socket.destroy();
    if (state === 'stalls') return;
    if (found === undefined) return void response.writeHead(404).end();
    response.end(found.tarball);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const want: Checkout['want'] = async (version) => {
    const entry = (name: string, of: string, more: object = {}) => {
      const file = `${name}-${of}.tgz`;
      const { integrity } = packages.get(file) ?? {};
      return { version: of, resolved: `${url}/${name}/-/${file}`, integrity, ...more };
    };
    const root = {
      name: 'breakwater',
      version: '0.0.0',
      dependencies: { greeting: version },
      devDependencies: { tool: '1.0.0' },
    };
    await writeFile(
      join(folder, 'package.json'),
      JSON.stringify({ ...root, type: 'module', private: true }),
    );
    const lock = {
      name: 'breakwater',
      version: '0.0.0',
      lockfileVersion: 3,
      requires: true,
      packages: {
        '': root,
        'node_modules/greeting': entry('greeting', version),
        'node_modules/tool': entry('tool', '1.0.0', { dev: true }),
      },
    };
    await writeFile(join(folder, 'package-lock.json'), JSON.stringify(lock));
  };
  await want('1.0.0');

  const env = {
    npm_config_registry: url,
    npm_config_cache: join(base, 'npm-cache'),
    npm_config_fetch_retries: '0',
    npm_config_userconfig: join(base, 'npmrc'),
    npm_config_update_notifier: 'false',
    NODE_TEST_CONTEXT: '',
  };
  return {
    folder,
    env,
    asked,
    registry: (next) => (state = next),
    want,
    start: (entry = 'src/main.ts') =>
      startProcess(process.execPath, [join(folder, 'scripts', 'start.mjs'), entry], {
        env,
        cwd: folder,
      }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await rm(base, { recursive: true, force: true });
    },
  };
}

async function pack(base: string, name: string, version: string): Promise<Package> {
  const folder = join(base, `${name}-${version}`);
  await mkdir(join(folder, 'package'), { recursive: true });
  const about = { name, version, type: 'module', exports: './index.js' };
  await writeFile(join(folder, 'package', 'package.json'), JSON.stringify(about));
  await writeFile(join(folder, 'package', 'index.js'), `export const version = '${version}';\n`);
  const file = join(base, `${name}-${version}.tgz`);
  execFileSync('tar', ['-czf', file, '-C', folder, 'package']);
  const tarball = await readFile(file);
  return {
    tarball,
    integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
  };
}
