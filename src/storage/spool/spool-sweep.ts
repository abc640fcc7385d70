import { join } from 'node:path';
import { errorCode } from '../disk/file-system.ts';
import { readJournal, writeJournal } from './journal.ts';
import { removeFile } from '../disk/small-file.ts';
import type { SpoolClaims, SpoolContext } from './spool-file.ts';

const keptMs = 24 * 60 * 60 * 1000;
const shareOfDisk = 0.1;

interface Leftover {
  readonly folder: string;
  /** Path without its ending; files of one base live and go together. */
  readonly base: string;
  readonly names: readonly string[];
}

interface Partial extends Leftover {
  readonly updatedAt: number;
  readonly bytes: number;
}

/** Removes litter and what is too old, then the oldest until the rest is within its share of the disk. */
export async function sweepSpool(
  context: SpoolContext,
  root: string,
  claims: SpoolClaims,
): Promise<void> {
  const kept: Partial[] = [];
  for (const owner of await context.files.readdir(root)) {
    for (const leftover of await leftoversIn(context, root, owner)) {
      if (claims.open.has(leftover.base)) continue;
      const partial = await weigh(context, claims, leftover);
      if (partial === undefined) await remove(context, claims, leftover);
      else {
        await removeTemporary(context, claims, leftover);
        kept.push(partial);
      }
    }
  }
  const { totalBytes } = await context.files.statfs(root);
  let excess = kept.reduce((sum, partial) => sum + partial.bytes, 0) - totalBytes * shareOfDisk;
  for (const partial of kept.sort((a, b) => a.updatedAt - b.updatedAt)) {
    if (excess <= 0) return;
    await remove(context, claims, partial);
    excess -= partial.bytes;
  }
}

async function leftoversIn(
  { files }: SpoolContext,
  root: string,
  owner: string,
): Promise<Leftover[]> {
  const folder = join(root, owner);
  const byBase = new Map<string, string[]>();
  try {
    for (const name of await files.readdir(folder)) {
      const base = join(folder, name.split('.', 1)[0]!);
      byBase.set(base, [...(byBase.get(base) ?? []), name]);
    }
  } catch (error) {
    // A file among the folders was not put there by the spool: it is not its to remove.
    if (errorCode(error) === 'ENOTDIR') return [];
    throw error;
  }
  return [...byBase].map(([base, names]) => ({ folder, base, names }));
}

/** `undefined` for litter: data that no journal vouches for, a journal without data, or one out of its time. */
async function weigh(
  context: SpoolContext,
  claims: SpoolClaims,
  leftover: Leftover,
): Promise<Partial | undefined> {
  const { files, events, clock } = context;
  const path = `${leftover.base}.json`;
  const journal = await readJournal(files, events, path);
  const part = await files.stat(`${leftover.base}.part`);
  if (journal === undefined || part === undefined) return undefined;
  const now = clock.now();
  if (now - journal.updatedAt > keptMs) return undefined;
  const updatedAt = Math.min(journal.updatedAt, now);
  // The clock was set back since: its day begins now, so that it neither goes too early nor stays for ever.
  if (updatedAt < journal.updatedAt)
    await claimed(claims, leftover.base, () =>
      writeJournal(files, events, path, { ...journal, updatedAt }),
    );
  return { ...leftover, updatedAt, bytes: part.allocated };
}

/** The journal first and for good: it must not come back beside a later file of the same name. */
function remove(context: SpoolContext, claims: SpoolClaims, leftover: Leftover): Promise<void> {
  const { files, folders } = context;
  const { base, folder, names } = leftover;
  return claimed(claims, base, async () => {
    await removeFile(files, `${base}.json`);
    await folders.sync(folder);
    for (const name of names) await removeFile(files, join(folder, name));
  });
}

/** What a crash left of the writing of a journal. */
async function removeTemporary(
  { files }: SpoolContext,
  claims: SpoolClaims,
  { base, folder, names }: Leftover,
): Promise<void> {
  const litter = names.filter((name) => name.endsWith('.tmp'));
  if (litter.length === 0) return;
  await claimed(claims, base, async () => {
    for (const name of litter) await removeFile(files, join(folder, name));
  });
}

/** Nothing is opened meanwhile, and nothing happens to what is open. */
async function claimed(
  claims: SpoolClaims,
  base: string,
  work: () => Promise<void>,
): Promise<void> {
  if (claims.open.has(base)) return;
  const running = work();
  claims.removing.set(
    base,
    running.catch(() => undefined),
  );
  try {
    await running;
  } finally {
    claims.removing.delete(base);
  }
}
