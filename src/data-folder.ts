import { mkdirSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** What a running server says of itself in `dataDir/run.json`, for the command line. */
export interface RunRecord {
  readonly pid: number;
  /** With the port that was chosen where 0 was asked for. */
  readonly listen: string;
  readonly adminListen: string;
  readonly hubMirrorListen?: string;
}

/** A data folder that this process alone serves from. Disposing removes `run.json` and lets the next server in. */
export interface DataFolder extends AsyncDisposable {
  writeRunRecord(record: RunRecord): Promise<void>;
}

/**
 * Makes the folder (0700) and takes it for this process. The lock is SQLite's on a file of its own: the kernel lets go of it
 * however the process ends, which a pid file can't promise. Throws where another server has it.
 */
export function openDataFolder(dataDir: string): DataFolder {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const lock = new DatabaseSync(join(dataDir, 'lock.sqlite'));
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    throw new Error(
      `dataDir ${dataDir} is in use by another server; stop it or choose another dataDir`,
      { cause: error },
    );
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
