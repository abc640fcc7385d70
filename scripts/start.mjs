// Runs a TypeScript entry of this checkout under Node 26, on a machine whose own Node may be older.
// Plain JavaScript for Node >= 20; no dependency, since nothing may be installed yet.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPackages } from './install.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const say = (line) => process.stderr.write(`breakwater: ${line}\n`);

/** The packaged Node 26 where it executes (not on musl), else this Node when it is new enough to strip types. */
function findNode() {
  const require = createRequire(join(root, 'package.json'));
  try {
    const name = `node-${process.platform}-${process.arch}`;
    const node = join(dirname(require.resolve(`${name}/package.json`)), 'bin', 'node');
    if (spawnSync(node, ['--version'], { stdio: 'ignore' }).status === 0) return node;
  } catch {
    // Not installed for this platform.
  }
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 24 || (major === 24 && minor >= 12)) return process.execPath;
  say(`Node ${process.versions.node} is too old and the packaged Node 26 does not run here; install Node 24.12 or newer`);
  process.exit(1);
}

const [entry, ...rest] = process.argv.slice(2);
// The program itself needs no development packages; its checks and tests do.
await installPackages(root, { dev: entry !== 'src/main.ts', say });
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
