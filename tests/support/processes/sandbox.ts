// Engines that mount, make networks and start processes of their own run in namespaces that nothing leaves.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const insideKey = 'BREAKWATER_SANDBOX';
const controllers = ['cpu', 'cpuset', 'devices', 'memory', 'pids'];
const cgroups = '/sys/fs/cgroup';
/** Paths that programs have built in, each hidden by an empty file system of the sandbox's own. */
const hidden = ['/run', '/var/lib', '/var/log'];

/** In the namespaces: everything in them ends with it. */
const inner = '"$@"; code=$?; kill -9 -1 2>/dev/null; exit "$code"';

/**
 * Outside: ends the sandbox when it is told to, or its starter is gone (`setpriv`), and removes its cgroups, which outlive
 * the namespaces.
 */
const outer = `
unshare --mount --net --pid --fork --kill-child --mount-proc bash -c '${inner}' sandbox "$@" &
child=$!
trap 'kill -9 "$child"' TERM INT HUP
wait "$child"; code=$?
wait "$child" 2>/dev/null
for _ in $(seq 100); do
  left=$(find ${cgroups} -mindepth 1 -depth -type d -path "*/$${insideKey}*" -print -exec rmdir {} + 2>/dev/null)
  [ -z "$left" ] && break
  sleep 0.05
done
exit "$code"`;

/**
 * Makes the rest of this test file run in namespaces of its own (mounts, network, processes): replaces the process by
 * itself in there. No packet leaves, and with the file's end its processes, mounts, interfaces and cgroups are gone. Call it
 * before tests are declared. Answers why this machine can't, as the reason to skip them; `undefined` in the sandbox.
 */
export function enterSandbox(): string | undefined {
  if (isSandboxed()) return undefined;
  const missing = whyNot();
  if (missing !== undefined) return missing;
  const env = { ...process.env, [insideKey]: `breakwater-test-${process.pid}` };
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.execve?.(
    find('setpriv'),
    ['setpriv', '--pdeathsig', 'TERM', 'bash', '-c', outer, 'sandbox', ...self],
    env,
  );
  return 'this Node cannot replace its process';
}

/** Whether this process is in a sandbox, from which nothing can be fetched. */
export function isSandboxed(): boolean {
  return process.env[insideKey] !== undefined;
}

/** The name of the cgroup under which everything of the sandbox must run. Only inside. */
export function sandboxName(): string {
  const name = process.env[insideKey];
  if (name === undefined) throw new Error('this is no sandbox');
  return name;
}

/** Prepares the namespaces: loopback is up, and what programs write to fixed paths stays in here. Once, inside. */
export function prepareSandbox(): void {
  run('ip', 'link', 'set', 'lo', 'up');
  for (const path of hidden) {
    if (path === '/var/log') run('mount', '-t', 'tmpfs', 'tmpfs', path);
    else keepChanges(path);
  }
}

/** Lets tests write settings where programs look for them: `/etc` keeps its changes to the sandbox, and names loopback alone. */
export function ownSettings(): void {
  keepChanges('/etc');
  writeFileSync('/etc/hosts', '127.0.0.1 localhost\n::1 localhost\n');
}

/** From here on the folder shows what the machine has there, and keeps what is changed in it to the sandbox. */
function keepChanges(path: string): void {
  const changes = join('/tmp', `${sandboxName()}${path.replaceAll('/', '-')}`);
  mkdirSync(changes);
  run('mount', '-t', 'tmpfs', 'tmpfs', changes);
  const [upper, work] = [join(changes, 'upper'), join(changes, 'work')];
  mkdirSync(upper);
  mkdirSync(work);
  const layers = `lowerdir=${path},upperdir=${upper},workdir=${work}`;
  run('mount', '-t', 'overlay', 'overlay', '-o', layers, path);
  run('umount', '--lazy', changes);
  rmdirSync(changes);
}

/** What an engine left mounted in its folder, so that the folder can be removed. */
export function unmountBelow(folder: string): void {
  const mounted = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${folder}/`));
  for (const path of mounted.toReversed()) spawnSync('umount', ['--lazy', path]);
}

/** Makes a cgroup under the sandbox's in every hierarchy, for a program that wants it to be there; answers its path. */
export function makeCgroup(name: string): string {
  const path = join(sandboxName(), name);
  for (const hierarchy of readdirSync(cgroups)) {
    for (const part of [sandboxName(), path]) {
      const folder = join(cgroups, hierarchy, part);
      mkdirSync(folder, { recursive: true });
      if (hierarchy !== 'cpuset') continue;
      // A new set is empty, and takes no process.
      for (const file of ['cpuset.cpus', 'cpuset.mems'])
        writeFileSync(join(folder, file), readFileSync(join(folder, '..', file)));
    }
  }
  return `/${path}`;
}

/** Runs a command to its end; throws with what it said where it fails. */
export function run(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function whyNot(): string | undefined {
  if (process.platform !== 'linux') return 'sandboxes take Linux';
  if (process.getuid?.() !== 0) return 'sandboxes take root';
  for (const tool of ['unshare', 'setpriv', 'bash', 'ip', 'mount', 'find']) {
    if (spawnSync(tool, ['--version'], { stdio: 'ignore' }).error !== undefined)
      return `${tool} is not installed`;
  }
  const flags = ['--mount', '--net', '--pid', '--fork', '--mount-proc', 'true'];
  const tried = spawnSync('unshare', flags, { encoding: 'utf8' });
  if (tried.status !== 0) return `no namespaces here: ${tried.stderr.trim()}`;
  for (const controller of controllers) {
    try {
      accessSync(join(cgroups, controller), constants.W_OK);
    } catch {
      return `no writable cgroup v1 hierarchy ${controller} here`;
    }
  }
  return undefined;
}

function find(tool: string): string {
  const folders = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];
  return folders.map((folder) => join(folder, tool)).find(existsSync) ?? `/usr/bin/${tool}`;
}
