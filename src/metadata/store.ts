import { errorText } from '../domain/error-text.ts';
import { MetadataError } from './contract/metadata-error.ts';
import type {
  BlobMetadata,
  IdentityMetadata,
  ManifestMetadata,
  Metadata,
  RecordMetadata,
  RepositoryMetadata,
  TagMetadata,
} from './contract/metadata.ts';
import { findAccessKey, listAccessKeys } from './rows/access-keys.ts';
import { findAccount, listAccounts } from './rows/accounts.ts';
import { auditPrunedMax, listAudit } from './rows/audit.ts';
import { findBlobHolders } from './rows/blob-holds.ts';
import { findBlobClaim } from './rows/blobs.ts';
import { dropAllDeleted } from './rows/deleted-repositories.ts';
import { listImages } from './rows/images.ts';
import { findChildren, findManifest, findManifestInfo, listReferrers } from './rows/manifests.ts';
import { findRegistryPolicy, listIdentityPolicies } from './rows/policies.ts';
import { findPrincipal, listPrincipals } from './rows/principals.ts';
import { listPulls, prunedMax } from './rows/pulls.ts';
import { findRepository } from './rows/repositories.ts';
import { listRepositories } from './rows/repository-settings.ts';
import { findTag, listTagRows, listTags, tagHistory } from './rows/tags.ts';
import { findToken, listTokens } from './rows/tokens.ts';
import type { Sql } from './sql/schema.ts';
import type { Write } from './writes.ts';

/** Rows in one transaction; others' writes come between. */
const rowsPerWrite = 500;

export interface MetadataSides {
  /** For point reads. */
  readonly sql: Sql;
  readonly write: Write;
  /** Answers waiting writes, then closes both sides. */
  readonly dispose: () => Promise<void>;
}

/** Runs a read; `what` names it in the error where it fails. */
type Reading = <A extends readonly unknown[], R>(
  what: string,
  query: (sql: Sql, ...input: A) => Promise<R>,
) => (...input: A) => Promise<R>;

/** The one implementation of the metadata; `sqlite.ts` and `postgres.ts` give it its two sides. */
export function createMetadata({ sql, write, dispose }: MetadataSides): Metadata {
  let disposed: Promise<void> | undefined;
  const read: Reading =
    (what, query) =>
    async (...input) => {
      if (disposed) throw new MetadataError('closed', 'the metadata is closed');
      try {
        return await query(sql, ...input);
      } catch (error) {
        throw new MetadataError(
          'failed',
          `metadata: reading ${what} failed: ${errorText(error)}`,
          error,
        );
      }
    };
  return {
    repositories: repositoryStore(read, write),
    manifests: manifestStore(read, write),
    tags: tagStore(read, write),
    blobs: blobStore(read, write),
    identities: identityStore(read, write),
    records: recordStore(read, write),
    [Symbol.asyncDispose]: () => (disposed ??= dispose()),
  };
}

function repositoryStore(read: Reading, write: Write): RepositoryMetadata {
  return {
    findRepository: read('a repository', findRepository),
    listRepositories: read('repositories', listRepositories),
    createRepository: (input) => write('createRepository', input),
    deleteRepository: async (input) => {
      const outcome = await write('deleteRepository', input);
      // It is deleted whatever becomes of its rows: what is left of them goes when the metadata is opened next.
      if (outcome === 'deleted') await dropAllDeleted(write).catch(() => {});
      return outcome;
    },
    setTagMutability: (input) => write('setTagMutability', input),
    setRepositoryPolicy: (input) => write('setRepositoryPolicy', input),
    stopRepository: (input) => write('stopRepository', input),
  };
}

function manifestStore(read: Reading, write: Write): ManifestMetadata {
  return {
    findManifest: read('a manifest', findManifest),
    findManifestInfo: read('a manifest', findManifestInfo),
    findChildren: read('the children of a manifest', findChildren),
    listReferrers: read('referrers', listReferrers),
    listImages: read('images', listImages),
    storeManifest: (input) => write('storeManifest', input),
    putManifest: (input) => write('putManifest', input),
    deleteManifest: (input) => write('deleteManifest', input),
  };
}

function tagStore(read: Reading, write: Write): TagMetadata {
  return {
    findTag: read('a tag', findTag),
    listTags: read('tags', listTags),
    listTagRows: read('tags', listTagRows),
    tagHistory: read('the history of a tag', tagHistory),
    setTag: (input) => write('setTag', input),
    validateTag: (input) => write('validateTag', input),
    markTag: (input) => write('markTag', input),
    deleteTag: (input) => write('deleteTag', input),
  };
}

function blobStore(read: Reading, write: Write): BlobMetadata {
  return {
    findBlobClaim: read('a blob claim', findBlobClaim),
    findBlobHolders: read('holders of a blob', findBlobHolders),
    recordFetch: (input) => write('recordFetch', input),
    proveBlob: (input) => write('proveBlob', input),
    holdBlob: (input) => write('holdBlob', input),
    releaseBlob: (input) => write('releaseBlob', input),
  };
}

function identityStore(read: Reading, write: Write): IdentityMetadata {
  return {
    findAccount: read('an account', findAccount),
    findPrincipal: read('a principal', findPrincipal),
    findAccessKey: read('an access key', findAccessKey),
    findToken: read('a token', findToken),
    findRegistryPolicy: read('a policy', findRegistryPolicy),
    listAccounts: read('accounts', listAccounts),
    listPrincipals: read('principals', listPrincipals),
    listAccessKeys: read('access keys', listAccessKeys),
    listTokens: read('tokens', listTokens),
    listIdentityPolicies: read('policies', listIdentityPolicies),
    createAccount: (input) => write('createAccount', input),
    createPrincipal: (input) => write('createPrincipal', input),
    deletePrincipal: (input) => write('deletePrincipal', input),
    createAccessKey: (input) => write('createAccessKey', input),
    deleteAccessKey: (input) => write('deleteAccessKey', input),
    createToken: (input) => write('createToken', input),
    deleteToken: (input) => write('deleteToken', input),
    async touchCredentials({ keys, tokens }) {
      const length = Math.max(keys.length, tokens.length);
      for (let from = 0; from < length; from += rowsPerWrite) {
        const end = from + rowsPerWrite;
        await write('touchCredentials', {
          keys: keys.slice(from, end),
          tokens: tokens.slice(from, end),
        });
      }
    },
    putIdentityPolicy: (input) => write('putIdentityPolicy', input),
    deleteIdentityPolicy: (input) => write('deleteIdentityPolicy', input),
    setRegistryPolicy: (input) => write('setRegistryPolicy', input),
  };
}

function recordStore(read: Reading, write: Write): RecordMetadata {
  return {
    listPulls: read('pull records', listPulls),
    listAudit: read('the audit', listAudit),
    async recordPulls(pulls) {
      for (let from = 0; from < pulls.length; from += rowsPerWrite)
        await write('recordPulls', pulls.slice(from, from + rowsPerWrite));
    },
    async prunePulls(input) {
      while ((await write('prunePulls', input)) >= prunedMax);
    },
    async appendAudit(rows) {
      for (let from = 0; from < rows.length; from += rowsPerWrite)
        await write('appendAudit', rows.slice(from, from + rowsPerWrite));
    },
    async pruneAudit(input) {
      while ((await write('pruneAudit', input)) >= auditPrunedMax);
    },
  };
}
