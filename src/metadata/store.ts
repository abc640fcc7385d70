import { createAccessSide } from './access-side.ts';
import { findBlobClaim } from './rows/blobs.ts';
import { findChildren, findManifest, findManifestInfo, listReferrers } from './rows/manifests.ts';
import { errorText } from '../domain/error-text.ts';
import { MetadataError } from './contract/metadata-error.ts';
import type { Metadata } from './contract/metadata.ts';
import { listPulls, prunedMax } from './rows/pulls.ts';
import { createRegistrySide } from './registry-side.ts';
import { findRepository } from './rows/repositories.ts';
import type { Sql } from './sql/schema.ts';
import { findTag, listTags, tagHistory } from './rows/tags.ts';
import type { Write } from './writes.ts';

/** Records in one transaction; others' writes come between. */
const pullsPerWrite = 500;

/** Runs a read; `what` names it in the error where it fails. */
export type Read = <T>(what: string, query: (sql: Sql) => Promise<T>) => Promise<T>;

export interface MetadataSides {
  /** For point reads. */
  readonly sql: Sql;
  readonly write: Write;
  /** Answers waiting writes, then closes both sides. */
  readonly dispose: () => Promise<void>;
}

/** The one implementation of the metadata; `sqlite.ts` and `postgres.ts` give it its two sides. */
export function createMetadata({ sql, write, dispose }: MetadataSides): Metadata {
  let disposed: Promise<void> | undefined;
  const read: Read = async (what, query) => {
    if (disposed) throw new MetadataError('closed', 'the metadata is closed');
    try {
      return await query(sql);
    } catch (error) {
      throw new MetadataError(
        'failed',
        `metadata: reading ${what} failed: ${errorText(error)}`,
        error,
      );
    }
  };
  return {
    ...createRegistrySide(read, write),
    ...createAccessSide(read, write),
    findRepository: (key) => read('a repository', (reader) => findRepository(reader, key)),
    findManifest: (key, digest) =>
      read('a manifest', (reader) => findManifest(reader, key, digest)),
    findManifestInfo: (key, digest) =>
      read('a manifest', (reader) => findManifestInfo(reader, key, digest)),
    findTag: (key, tag) => read('a tag', (reader) => findTag(reader, key, tag)),
    listTags: (key, after, limit, counting) =>
      read('tags', (reader) => listTags(reader, key, after, limit, counting)),
    tagHistory: (key, tag, limit) =>
      read('the history of a tag', (reader) => tagHistory(reader, key, tag, limit)),
    listReferrers: (key, subject, counting) =>
      read('referrers', (reader) => listReferrers(reader, key, subject, counting)),
    findChildren: (key, digest) =>
      read('the children of a manifest', (reader) => findChildren(reader, key, digest)),
    findBlobClaim: (key, rule, digest) =>
      read('a blob claim', (reader) => findBlobClaim(reader, key, rule, digest)),
    listPulls: (limit) => read('pull records', (reader) => listPulls(reader, limit)),

    storeManifest: (input) => write('storeManifest', input),
    setTag: (input) => write('setTag', input),
    validateTag: (input) => write('validateTag', input),
    markTag: (input) => write('markTag', input),
    stopRepository: (input) => write('stopRepository', input),
    recordFetch: (input) => write('recordFetch', input),
    proveBlob: (input) => write('proveBlob', input),
    async recordPulls(pulls) {
      for (let from = 0; from < pulls.length; from += pullsPerWrite) {
        await write('recordPulls', pulls.slice(from, from + pullsPerWrite));
      }
    },
    async prunePulls(input) {
      while ((await write('prunePulls', input)) >= prunedMax);
    },
    [Symbol.asyncDispose]: () => (disposed ??= dispose()),
  };
}
