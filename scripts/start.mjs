// Runs a TypeScript entry of this checkout under Node 26, on a machine whose own Node may be older.
// Plain JavaScript for Node >= 20; no dependency, since nothing may be installed yet.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const say = (line) => process.stderr.write(`breakwater: ${line}\n`);

/** The lockfile's hash as it was installed last; absent before the first install. */
const stampFile = join(root, 'node_modules', '.breakwater-lock');

function installIfNeeded() {
  const lock = createHash('sha256').update(readFileSync(join(root, 'package-lock.json'))).digest('hex');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === lock) return;
  const release = takeInstallLock();
  try {
    if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === lock) return;
    say('installing packages (npm ci); the next start skips this');
    const npm = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: root,
      stdio: ['ignore', 2, 2],
    });
    if (npm.status !== 0) {
      say(npm.error ? `npm could not be run: ${npm.error.message}` : `npm ci failed with exit code ${npm.status}`);
      process.exit(1);
    }
    writeFileSync(stampFile, lock);
  } finally {
    release();
  }
}

/** One install at a time: two commands started together on a fresh clone would delete each other's node_modules. */
function takeInstallLock() {
  const folder = join(root, '.install-lock');
  const giveUpAt = Date.now() + 300_000;
  for (;;) {
    try {
      mkdirSync(folder);
      return () => rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      const stale = existsSync(folder) && Date.now() - statSync(folder).mtimeMs > 300_000;
      if (stale) rmSync(folder, { recursive: true, force: true });
      if (Date.now() > giveUpAt) {
        say(`another install holds ${folder}; remove it if none runs`);
        process.exit(1);
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    }
  }
}

/** The packaged Node 26 where it executes (not on musl), else this Node when it is new enough to strip types. */
function findNode() {
  const require = createRequire(join(root, 'package.json'));
  for (const name of [`node-${process.platform}-${process.arch}`]) {
    try {
      const node = join(dirname(require.resolve(`${name}/package.json`)), 'bin', 'node');
      if (spawnSync(node, ['--version'], { stdio: 'ignore' }).status === 0) return node;
    } catch {
      // Not installed for this platform.
    }
  }
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 24 || (major === 24 && minor >= 12)) return process.execPath;
  say(`Node ${process.versions.node} is too old and the packaged Node 26 does not run here; install Node 24.12 or newer`);
  process.exit(1);
}

installIfNeeded();
const [entry, ...rest] = process.argv.slice(2);
// How Node is run (decisions/004-memory.md); the benchmarks run it the same way.
const runtime = JSON.parse(readFileSync(join(root, 'scripts', 'node-runtime.json'), 'utf8'));
const env = { ...runtime.env, NODE_COMPILE_CACHE: join(root, runtime.compileCache), ...process.env };
const node = findNode();
const args = [...runtime.flags, join(root, entry), ...rest];
// Node 22.15 and later becomes the program; an older one waits beside it, and holds 44 MB.
if (process.execve !== undefined && process.platform !== 'win32') process.execve(node, [node, ...args], env);
const child = spawn(node, args, { stdio: 'inherit', env });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  say(error.message);
  process.exitCode = 1;
});
child.on('exit', (code, signal) => {
  process.exitCode = signal ? 128 + ({ SIGINT: 2, SIGTERM: 15, SIGHUP: 1, SIGKILL: 9 }[signal] ?? 1) : (code ?? 1);
});
