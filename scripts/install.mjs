// Installs this checkout's packages where they are not what package-lock.json says. Plain JavaScript for Node >= 20; no
// dependency, since nothing may be installed yet.
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { takeInstallLock } from './install-lock.mjs';

const exitOfSignal = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/**
 * Resolves once the packages are there, whoever installed them: an earlier start, another start meanwhile, or `npm ci` by hand.
 * They are installed beside `node_modules` and take its place at the end, so that what breaks off or has no network leaves what
 * was there. Ends the process, having said why, where they cannot be had.
 */
export async function installPackages(root, { dev, say }) {
  const installed = (modules) => isInstalled(root, modules, dev);
  const modules = join(root, 'node_modules');
  if (installed(modules)) return;
  const lock = await takeInstallLock(root, say).catch((error) => {
    say(unwritable(root, error));
    process.exit(1);
  });
  try {
    if (installed(modules)) return;
    if (takeLeftovers(root, modules, installed)) return;
    say('installing packages (npm ci); the next start skips this');
    const exit = await install(root, modules, lock, say);
    if (exit !== 0) process.exitCode = exit;
  } finally {
    lock.release();
  }
  if (process.exitCode) process.exit();
}

/** Whether a folder has every package that the lockfile names, in its version, by what npm wrote of its own last work there. */
function isInstalled(root, modules, dev) {
  const wanted = packagesOf(join(root, 'package-lock.json'));
  const present = packagesOf(join(modules, '.package-lock.json'));
  if (wanted === undefined || present === undefined) return false;
  return Object.entries(wanted).every(([path, { version, integrity, optional, ...about }]) => {
    if (!path.startsWith('node_modules/') || (about.dev && !dev)) return true;
    const found = present[path];
    if (found === undefined) return optional === true;
    const isSame = found.version === version && found.integrity === integrity;
    return isSame && existsSync(join(modules, path.slice('node_modules/'.length)));
  });
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

const folderPrefix = '.install-';

/** What installs that were killed have left: one that was whole is taken, the rest goes. */
function takeLeftovers(root, modules, installed) {
  let taken = false;
  for (const name of readdirSync(root)) {
    const folder = join(root, name);
    if (!name.startsWith(folderPrefix) || !statSync(folder).isDirectory()) continue;
    const left = join(folder, 'node_modules');
    if (!taken && installed(left)) {
      exchange(left, modules, folder);
      taken = true;
    }
    rmSync(folder, { recursive: true, force: true });
  }
  return taken;
}

function exchange(next, modules, folder) {
  const before = join(folder, 'before');
  rmSync(before, { recursive: true, force: true });
  if (existsSync(modules)) renameSync(modules, before);
  renameSync(next, modules);
}

/** Answers the exit code. */
async function install(root, modules, lock, say) {
  const folder = join(root, `${folderPrefix}${process.pid}`);
  try {
    mkdirSync(folder);
    for (const name of ['package.json', 'package-lock.json', '.npmrc'])
      if (existsSync(join(root, name))) copyFileSync(join(root, name), join(folder, name));
    const exit = await runNpm(folder, lock, say);
    if (exit === 0) exchange(join(folder, 'node_modules'), modules, folder);
    return exit;
  } catch (error) {
    say(`packages cannot be installed: ${error.message}`);
    return 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** npm waits for what it is fetching before it heeds a signal. It works in a folder that is thrown away. */
const patienceMs = 1000;

/** A signal goes on to npm, and is answered once npm has ended: it would install on with nobody waiting. */
function runNpm(folder, lock, say) {
  const words = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = spawn('npm', words, { cwd: folder, stdio: ['ignore', 2, 2] });
  if (npm.pid !== undefined) lock.add(npm.pid);
  let asked;
  const pass = (signal) => {
    npm.kill(asked === undefined ? signal : 'SIGKILL');
    setTimeout(() => npm.kill('SIGKILL'), patienceMs).unref();
    asked ??= signal;
  };
  for (const signal of Object.keys(exitOfSignal)) process.on(signal, pass);
  return new Promise((resolve) => {
    const end = (exit, why) => {
      for (const signal of Object.keys(exitOfSignal)) process.off(signal, pass);
      if (why !== undefined) say(why);
      resolve(exit);
    };
    npm.on('error', (error) => end(1, `npm could not be run: ${error.message}`));
    npm.on('exit', (code, signal) => {
      if (asked !== undefined)
        return end(exitOfSignal[asked], 'interrupted; nothing was installed');
      if (code === 0) return end(0);
      const how = signal === null ? `failed with exit code ${code}` : `was ended by ${signal}`;
      end(1, `npm ci ${how}, see above; what was installed before is still there`);
    });
  });
}

function unwritable(root, error) {
  if (error.code !== 'EACCES' && error.code !== 'EPERM' && error.code !== 'EROFS')
    return `packages cannot be installed: ${error.message}`;
  const { uid } = statSync(root);
  const who = uid === process.getuid?.() ? 'a user who may write there' : `its owner, user ${uid}`;
  return `packages are missing, and ${root} may not be written to (${error.code}): run npm ci in it as ${who}`;
}
