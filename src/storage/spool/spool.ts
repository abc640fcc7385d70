import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { algorithmOf, hexOf } from '../../domain/names/digest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Spool } from '../../ports/spool.ts';
import { SpoolFileOnDisk } from './spool-file.ts';
import type { SpoolClaims, SpoolContext, SpoolKey } from './spool-file.ts';
import { sweepSpool } from './spool-sweep.ts';

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
