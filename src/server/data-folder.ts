import { accessSync, constants, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { findBarrier, isDenied } from '../cli/server/file-owner.ts';
import type { RunRecord } from '../cli/server/run-record.ts';
import { isBusy } from '../cli/server/run-record.ts';

/** A data folder that this process alone serves from. Disposing removes `run.json` and lets the next server in. */
export interface DataFolder extends AsyncDisposable {
  writeRunRecord(record: RunRecord): Promise<void>;
}

/** A command of this machine may look for a moment whether the lock is held. */
const lockWaitMs = 500;

/** What a server writes in its folder; one start as another user leaves some of it unusable. */
const contents = [
  'lock.sqlite',
  'metadata.sqlite',
  'metadata.sqlite-wal',
  'metadata.sqlite-shm',
  'keys',
  'blobs',
  'spool',
  'uploads',
];

/**
 * Makes the folder (0700) and takes it for this process. The lock is SQLite's on a file of its own: the kernel lets go of it
 * however the process ends, which a pid file can't promise. Throws where another server has it, and where the folder or what
 * is in it belongs to somebody else, naming whom.
 */
export async function openDataFolder(dataDir: string): Promise<DataFolder> {
  let lock: DatabaseSync;
  try {
    makeFolder(dataDir);
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    for (const name of contents) {
      const path = join(dataDir, name);
      if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK);
    }
    lock = new DatabaseSync(join(dataDir, 'lock.sqlite'), { timeout: lockWaitMs });
  } catch (error) {
    throw await unusable(dataDir, error);
  }
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    throw isBusy(error) ? inUse(dataDir, error) : await unusable(dataDir, error);
  }
  const file = join(dataDir, 'run.json');
  return {
    writeRunRecord: async (record) => {
      const written = `${file}.${process.pid}`;
      await using handle = await open(written, 'w', 0o644);
      await handle.writeFile(`${JSON.stringify(record)}\n`);
      await rename(written, file);
    },
    [Symbol.asyncDispose]: async () => {
      await rm(file, { force: true });
      lock.close();
    },
  };
}

/** Node's own recursion does not end below a folder such as /proc, which is there and takes nothing. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path || existsSync(parent)) throw error;
    makeFolder(parent);
    mkdirSync(path, { mode: 0o700 });
  }
}

function inUse(dataDir: string, cause: unknown): Error {
  let holder = '';
  try {
    const { pid, listen } = JSON.parse(
      readFileSync(join(dataDir, 'run.json'), 'utf8'),
    ) as Partial<RunRecord>;
    holder = ` (pid ${pid}, ${listen})`;
  } catch {
    // It has not written its record yet.
  }
  return new Error(
    `dataDir ${dataDir} is in use by another server${holder}; stop it or choose another dataDir`,
    { cause },
  );
}

async function unusable(dataDir: string, cause: unknown): Promise<Error> {
  return new Error(`dataDir ${dataDir} cannot be used: ${await explain(dataDir, cause)}`, {
    cause,
  });
}

async function explain(dataDir: string, cause: unknown): Promise<string> {
  const { code, path, message } = cause as NodeJS.ErrnoException;
  if (code === 'EEXIST' || code === 'ENOTDIR') return 'it is no folder';
  if (!isDenied(cause)) return message;
  const barrier = await findBarrier(path ?? dataDir);
  const { owner, me, because } = barrier;
  if (owner === me) return `${because}; open it: chmod -R u+rwX ${barrier.path}`;
  const isOurs = barrier.path === dataDir || barrier.path.startsWith(`${dataDir}/`);
  const give = isOurs ? `give it away (chown -R ${me} ${dataDir}), ` : '';
  return `${because}; run this as ${owner}, ${give}or choose another dataDir`;
}
