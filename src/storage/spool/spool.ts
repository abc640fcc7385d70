import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { algorithmOf, hexOf } from '../../domain/names/digest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Spool } from '../../ports/spool.ts';
import { errorCode } from '../disk/file-system.ts';
import { removeFile } from '../disk/small-file.ts';
import { readJournal, writeJournal } from './journal.ts';
import { SpoolFileOnDisk } from './spool-file.ts';
import type { SpoolContext, SpoolKey } from './spool-file.ts';

const keptMs = 24 * 60 * 60 * 1000;
const shareOfDisk = 0.1;

/** Which partials are open and which are being removed: never both. Keys are paths without their ending. */
interface SpoolClaims {
  readonly open: Set<string>;
  readonly removing: Map<string, Promise<void>>;
}

/** Partials under `root`, a folder that is there: a folder for each owner, data and journal for each digest. */
export function createFileSpool(context: SpoolContext, root: string): Spool {
  const claims: SpoolClaims = { open: new Set(), removing: new Map() };
  let sweeping: Promise<void> | undefined;
  return {
    open: async (owner, digest) => {
      const { base, ...key } = keyOf(root, owner, digest);
      if (claims.open.has(base)) throw new Error(`The partial of ${digest} is open already`);
      claims.open.add(base);
      const release = (): void => {
        claims.open.delete(base);
      };
      try {
        await claims.removing.get(base);
        return await SpoolFileOnDisk.open(context, key, release);
      } catch (error) {
        release();
        throw error;
      }
    },
    sweep: () => {
      sweeping ??= sweepSpool(context, root, claims).finally(() => (sweeping = undefined));
      return sweeping;
    },
  };
}

function keyOf(root: string, owner: string, digest: Digest): SpoolKey & { readonly base: string } {
  const folder = join(root, createHash('sha256').update(owner).digest('hex').slice(0, 32));
  const base = join(folder, `${algorithmOf(digest)}-${hexOf(digest)}`);
  return { owner, digest, folder, base, part: `${base}.part`, journal: `${base}.json` };
}

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
async function sweepSpool(context: SpoolContext, root: string, claims: SpoolClaims): Promise<void> {
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
