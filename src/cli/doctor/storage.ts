import { mkdtemp, open, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from '../../config/config.ts';
import { minFreeBytesMin } from '../../config/schema/size.ts';
import { errorText } from '../../domain/error-text.ts';
import type { Check } from '../command-context.ts';
import { failed, passed, warned } from './report.ts';

const gib = 1024 ** 3;
const syncSlowMs = 100;

/** The data folder: there, writable, durable, with space, and closed to others. Leaves nothing behind. */
export async function inspectStorage(config: Config): Promise<Check[]> {
  const { dataDir } = config;
  const folder = await existing(dataDir);
  const checks = [
    passed(
      folder === dataDir ? `dataDir ${dataDir}` : `dataDir ${dataDir} is made at the first start`,
    ),
    ...(await inspectWriting(folder)),
    await inspectSpace(folder, config.cache.minFree),
  ];
  if (folder === dataDir) checks.push(...(await inspectContents(dataDir)));
  return checks;
}

/** The folder itself, or the nearest one above it that is there. */
async function existing(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  const parent = dirname(path);
  return found !== undefined || parent === path ? path : existing(parent);
}

/** Writes, syncs and renames as the store does. */
async function inspectWriting(folder: string): Promise<Check[]> {
  let trial: string;
  try {
    trial = await mkdtemp(join(folder, '.doctor-'));
  } catch (error) {
    return [failed(`${folder} is writable`, errorText(error), hintOf(error))];
  }
  try {
    const ms = await writeDurably(trial);
    const sync = `a write is on the disk after ${ms} ms`;
    return [
      passed(`${folder} is writable`),
      passed('a file is renamed into place'),
      ms > syncSlowMs
        ? warned(sync, `over ${syncSlowMs} ms`, 'a slow disk slows first pulls, not cached ones')
        : passed(sync),
    ];
  } catch (error) {
    return [failed('files are written, synced and renamed', errorText(error), hintOf(error))];
  } finally {
    await rm(trial, { recursive: true, force: true });
  }
}

function hintOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOSPC' || code === 'EDQUOT'
    ? 'make room on the volume'
    : 'give the folder to the user that runs the server, on a writable volume';
}

/** Milliseconds that both syncs took. */
async function writeDurably(folder: string): Promise<number> {
  const started = performance.now();
  const file = await open(join(folder, 'new'), 'wx');
  try {
    await file.writeFile('breakwater');
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(join(folder, 'new'), join(folder, 'kept'));
  const parent = await open(folder, 'r');
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
  return Math.round(performance.now() - started);
}

async function inspectSpace(folder: string, minFree: Config['cache']['minFree']): Promise<Check> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return judgeSpace(bavail * bsize, blocks * bsize, minFree);
}

export function judgeSpace(
  freeBytes: number,
  totalBytes: number,
  minFree: Config['cache']['minFree'],
): Check {
  const asked = 'share' in minFree ? minFree.share * totalBytes : minFree.bytes;
  const neededBytes = Math.max(asked, minFreeBytesMin);
  const description = `${inGib(freeBytes)} of ${inGib(totalBytes)} free`;
  if (freeBytes >= neededBytes) return passed(description);
  return warned(
    description,
    `cache.minFree keeps ${inGib(neededBytes)}: pulls go through, and nothing new is kept`,
    'make room on the volume, or lower cache.minFree',
  );
}

function inGib(bytes: number): string {
  return `${(bytes / gib).toFixed(1)} GiB`;
}

async function inspectContents(dataDir: string): Promise<Check[]> {
  const checks: Check[] = [];
  const credentials = await stat(join(dataDir, 'credentials')).catch(() => undefined);
  if (credentials !== undefined && (credentials.mode & 0o007) !== 0)
    checks.push(
      failed(
        'credentials are closed to others',
        `mode ${(credentials.mode & 0o777).toString(8)}`,
        `chmod 600 ${join(dataDir, 'credentials')}`,
      ),
    );
  else if (credentials !== undefined) checks.push(passed('credentials are closed to others'));
  const blobs = await stat(join(dataDir, 'blobs')).catch(() => undefined);
  const spool = await stat(join(dataDir, 'spool')).catch(() => undefined);
  if (blobs !== undefined && spool !== undefined && blobs.dev !== spool.dev)
    checks.push(
      failed(
        'blobs and spool share a file system',
        'they are on two',
        'mount one volume at dataDir, not at a folder in it',
      ),
    );
  return checks;
}
