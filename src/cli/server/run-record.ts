import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CommandFailure } from '../command-failure.ts';
import { readIfThere } from '../whole-files.ts';
import { findBarrier, isDenied } from './file-owner.ts';
import { dialable } from '../../domain/names/server-url.ts';

/** What a running server says of itself in `dataDir/run.json`. */
export interface RunRecord {
  readonly pid: number;
  /** With the port that was chosen where 0 was asked for. */
  readonly listen: string;
  readonly adminListen: string;
  readonly hubMirrorListen?: string;
  /** As it was at the start; absent where it is not set. */
  readonly publicUrl?: string;
  /** Absolute; the PEM file of the certificate that `listen` shows. */
  readonly certFile?: string;
  /** Absolute; absent where it was started without one. */
  readonly configFile?: string;
  /** Absolute; what relative paths of its configuration go from. */
  readonly cwd?: string;
}

/** A server that runs; its addresses as this machine dials them. */
export interface RunningServer extends RunRecord {
  /** Whether `listen` was every address of the machine. */
  readonly everywhere: boolean;
}

/**
 * The server that runs on the folder; `undefined` where none does. A record that a killed server left says nothing, even where its pid has been given to another process: a server that runs
 * holds the folder's lock.
 */
export async function readRunRecord(dataDir: string): Promise<RunningServer | undefined> {
  const text = await readDataFile(join(dataDir, 'run.json'));
  const record = text === undefined ? undefined : parseRunRecord(text);
  return record !== undefined && isLocked(join(dataDir, 'lock.sqlite')) ? record : undefined;
}

const sqliteBusy = 5;

function isLocked(file: string): boolean {
  try {
    using database = new DatabaseSync(file, { readOnly: true });
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
    return false;
  } catch (error) {
    return isBusy(error);
  }
}

/** Whether SQLite refused since another process holds the file. */
export function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy;
}

function parseRunRecord(text: string): RunningServer | undefined {
  try {
    const record = JSON.parse(text) as Partial<RunRecord>;
    const { pid, listen, adminListen } = record;
    if (typeof pid !== 'number' || typeof listen !== 'string' || typeof adminListen !== 'string')
      return undefined;
    return {
      ...record,
      pid,
      listen: dialable(listen),
      adminListen: dialable(adminListen),
      everywhere: dialable(listen) !== new URL(listen).origin,
    };
  } catch {
    return undefined;
  }
}

/** A file of the data folder as text; `undefined` where it is not there. Throws `FILE_UNREADABLE` (4). */
export async function readDataFile(file: string): Promise<string | undefined> {
  try {
    return await readIfThere(file);
  } catch (error) {
    throw new CommandFailure(`${file} cannot be read`, {
      exit: 'forbidden',
      code: 'FILE_UNREADABLE',
      ...(isDenied(error) ? await denied(file) : { because: (error as Error).message }),
      cause: error,
    });
  }
}

async function denied(file: string): Promise<{ readonly because: string; readonly hint: string }> {
  const { path, owner, me, because } = await findBarrier(file);
  const hint =
    owner === me
      ? `open it: chmod u+rwX ${path}`
      : `run the command as ${owner} (sudo -u ${owner} breakwater …), or ask with a token: BREAKWATER_TOKEN=… breakwater … --server URL`;
  return { because, hint };
}
