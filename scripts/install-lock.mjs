// One install at a time in a checkout. Plain JavaScript for Node >= 20, without dependencies.
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  linkSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const lookEveryMs = 200;

/**
 * Waits for the lock of a checkout, and says so once. Its file names the processes that hold it, the start that installs and its
 * npm: when none of them runs any more it is free, however they ended.
 */
export async function takeInstallLock(root, say) {
  const file = join(root, '.install-lock');
  let isTold = false;
  for (;;) {
    try {
      writeFileSync(file, lineOf(process.pid), { flag: 'wx' });
      return {
        add: (pid) => appendFileSync(file, lineOf(pid)),
        release: () => rmSync(file, { force: true }),
      };
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const text = readLock(file);
    if (text === undefined) continue;
    const holder = holderOf(text);
    if (holder === undefined) {
      removeStale(file, text);
      continue;
    }
    if (!isTold) say(`another start installs packages (pid ${holder}); waiting for it`);
    isTold = true;
    await pause(lookEveryMs);
  }
}

/** Each process by its number and by when it started, since numbers are given again. */
function lineOf(pid) {
  return `${pid} ${startOf(pid) ?? '-'}\n`;
}

/** The start time in clock ticks since the machine's own, from Linux; `undefined` where there is no such process or no /proc. */
function startOf(pid) {
  try {
    // The second field, the program's name in brackets, may hold anything.
    const [state, ...fields] = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .split(') ')
      .at(-1)
      .split(' ');
    // A dead one that its parent has not asked after yet.
    return state === 'Z' ? 'ended' : fields[18];
  } catch {
    return undefined;
  }
}

/** `undefined` where there is none any more. What is a folder was made by an earlier version, which waited for it by time. */
function readLock(file) {
  try {
    return statSync(file).isDirectory() ? '' : readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A process of the lock that still runs. */
function holderOf(text) {
  for (const line of text.split('\n')) {
    const [pid, start] = line.split(' ');
    if (/^\d+$/.test(pid) && isRunning(Number(pid), start)) return pid;
  }
  return undefined;
}

function isRunning(pid, start) {
  const now = startOf(pid);
  if (now !== undefined && start !== '-') return now === start;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Puts away exactly what was read: of two that found it stale, the second may hold what the first has written since. */
function removeStale(file, text) {
  const taken = `${file}-${randomBytes(6).toString('hex')}`;
  try {
    renameSync(file, taken);
    if (readLock(taken) !== text) linkSync(taken, file);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  }
  rmSync(taken, { recursive: true, force: true });
}
