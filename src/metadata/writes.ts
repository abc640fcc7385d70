import { proveBlob, recordFetch } from './blobs.ts';
import { storeManifest } from './manifests.ts';
import { prunePulls, recordPulls } from './pulls.ts';
import { stopRepository } from './repositories.ts';
import type { Sql } from './schema.ts';
import { markTag, setTag, validateTag } from './tags.ts';

/**
 * Every write by its name: what may be asked of the writing side, which may be another thread. Each runs in a transaction of
 * its own or in a savepoint of a shared one, and awaits nothing but SQL.
 */
export const writes: Writes = {
  storeManifest,
  setTag,
  validateTag,
  markTag,
  stopRepository,
  recordFetch,
  proveBlob,
  recordPulls,
  prunePulls,
};

interface Writes {
  readonly storeManifest: typeof storeManifest;
  readonly setTag: typeof setTag;
  readonly validateTag: typeof validateTag;
  readonly markTag: typeof markTag;
  readonly stopRepository: typeof stopRepository;
  readonly recordFetch: typeof recordFetch;
  readonly proveBlob: typeof proveBlob;
  readonly recordPulls: typeof recordPulls;
  readonly prunePulls: typeof prunePulls;
}

export type WriteName = keyof Writes;
export type WriteInput<N extends WriteName> = Parameters<Writes[N]>[1];
export type WriteOutput<N extends WriteName> = Awaited<ReturnType<Writes[N]>>;

/** Runs a write somewhere and answers after its commit. */
export type Write = <N extends WriteName>(name: N, input: WriteInput<N>) => Promise<WriteOutput<N>>;

/** Runs a write in a transaction that is open already. */
export function runWrite(transaction: Sql, name: WriteName, input: unknown): Promise<unknown> {
  const write = writes[name] as (transaction: Sql, input: unknown) => Promise<unknown>;
  return write(transaction, input);
}
