import { createAccessKey, deleteAccessKey } from './rows/access-keys.ts';
import { createAccount } from './rows/accounts.ts';
import { appendAudit, pruneAudit } from './rows/audit.ts';
import { holdBlob, releaseBlob } from './rows/blob-holds.ts';
import { proveBlob, recordFetch } from './rows/blobs.ts';
import { deleteManifest, deleteTag } from './rows/delete-content.ts';
import { deleteRepository, dropDeleted } from './rows/deleted-repositories.ts';
import { storeManifest } from './rows/manifests.ts';
import { deleteIdentityPolicy, putIdentityPolicy, setRegistryPolicy } from './rows/policies.ts';
import { createPrincipal, deletePrincipal } from './rows/principals.ts';
import { prunePulls, recordPulls } from './rows/pulls.ts';
import { putManifest } from './rows/put-manifest.ts';
import { stopRepository } from './rows/repositories.ts';
import {
  createRepository,
  setRepositoryPolicy,
  setTagMutability,
} from './rows/repository-settings.ts';
import type { Sql } from './sql/schema.ts';
import { markTag, setTag, validateTag } from './rows/tags.ts';
import { createToken, deleteToken, touchCredentials } from './rows/tokens.ts';

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
  createRepository,
  deleteRepository,
  dropDeleted,
  setTagMutability,
  setRepositoryPolicy,
  putManifest,
  deleteManifest,
  deleteTag,
  holdBlob,
  releaseBlob,
  createAccount,
  createPrincipal,
  deletePrincipal,
  createAccessKey,
  deleteAccessKey,
  createToken,
  deleteToken,
  putIdentityPolicy,
  deleteIdentityPolicy,
  setRegistryPolicy,
  touchCredentials,
  appendAudit,
  pruneAudit,
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
  readonly createRepository: typeof createRepository;
  readonly deleteRepository: typeof deleteRepository;
  readonly dropDeleted: typeof dropDeleted;
  readonly setTagMutability: typeof setTagMutability;
  readonly setRepositoryPolicy: typeof setRepositoryPolicy;
  readonly putManifest: typeof putManifest;
  readonly deleteManifest: typeof deleteManifest;
  readonly deleteTag: typeof deleteTag;
  readonly holdBlob: typeof holdBlob;
  readonly releaseBlob: typeof releaseBlob;
  readonly createAccount: typeof createAccount;
  readonly createPrincipal: typeof createPrincipal;
  readonly deletePrincipal: typeof deletePrincipal;
  readonly createAccessKey: typeof createAccessKey;
  readonly deleteAccessKey: typeof deleteAccessKey;
  readonly createToken: typeof createToken;
  readonly deleteToken: typeof deleteToken;
  readonly putIdentityPolicy: typeof putIdentityPolicy;
  readonly deleteIdentityPolicy: typeof deleteIdentityPolicy;
  readonly setRegistryPolicy: typeof setRegistryPolicy;
  readonly touchCredentials: typeof touchCredentials;
  readonly appendAudit: typeof appendAudit;
  readonly pruneAudit: typeof pruneAudit;
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
