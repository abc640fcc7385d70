import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import type { ByteReader, ByteSource, ByteSpan } from '../../domain/byte-source.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { BlobClaim } from '../../metadata/contract/rows.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Events } from '../../ports/events.ts';
import type { Upstream } from '../../ports/upstream.ts';
import { passThroughSource } from '../download/pass-through.ts';
import type { PullRequest } from '../pull-request.ts';
import { mayAsk } from '../pull-request.ts';
import { isStorageFailure } from '../space/space-gate.ts';

const damagedMax = 10_000;

/**
 * The blob store as the cache uses it. A file that can't be read stays where it is, since others may hold the blob and a disk
 * may recover; the next verified file of the same blob takes its place.
 */
export interface RepairedBlobs extends BlobStore {
  /** The blob's file could not be read, or lost bytes. */
  noteDamaged(digest: Digest): void;
  isDamaged(digest: Digest): boolean;
}

export function createRepairedBlobs(blobs: BlobStore): RepairedBlobs {
  const damaged = new LRUCache<Digest, true>(atMost(damagedMax));
  return {
    size: (digest) => blobs.size(digest),
    open: (digest, span) => blobs.open(digest, span),
    delete: (digest) => blobs.delete(digest),
    list: () => blobs.list(),
    retire: (digest) => blobs.retire(digest),
    revive: (digest) => blobs.revive(digest),
    deleteRetired: (digest) => blobs.deleteRetired(digest),
    space: () => blobs.space(),
    adopt: async (file) => {
      await blobs.adopt(file, damaged.has(file.digest));
      damaged.delete(file.digest);
    },
    noteDamaged: (digest) => void damaged.set(digest, true),
    isDamaged: (digest) => damaged.size > 0 && damaged.has(digest),
  };
}

interface StoredBlobParts {
  readonly blobs: RepairedBlobs;
  readonly upstream: Upstream;
  readonly events: Events;
}

type AskedBlob = PullRequest & { readonly digest: Digest };

/** The stored size; where the file system won't say, the blob counts as not here, and the pull goes on. */
export async function storedSize(
  { blobs, events }: StoredBlobParts,
  digest: Digest,
): Promise<number | undefined> {
  try {
    return await blobs.size(digest);
  } catch (error) {
    if (!isStorageFailure(error)) throw error;
    events.emit({ type: 'storageFailed', operation: 'size', message: String(error) });
    return undefined;
  }
}

/**
 * The size of a file that can be given out; `undefined` where it has lost bytes, or could not be read and upstream can give it
 * again.
 */
export function sizeIfIntact(
  parts: StoredBlobParts,
  request: AskedBlob,
  { held, fetchedBytes }: BlobClaim,
  sizeHere: number | undefined,
): number | undefined {
  const { digest } = request;
  if (sizeHere === undefined) return undefined;
  if (fetchedBytes !== undefined && fetchedBytes !== sizeHere) {
    noteDamaged(
      parts,
      'read',
      digest,
      `${digest} has ${sizeHere} bytes, ${fetchedBytes} were stored`,
    );
    return undefined;
  }
  const elsewhere = mayAsk(request) && (held === 'fetched' || fetchedBytes !== undefined);
  return elsewhere && parts.blobs.isDamaged(digest) ? undefined : sizeHere;
}

/** The bytes; where the file can't be opened any more, this one client reads from upstream. */
export function storedSource(parts: StoredBlobParts, request: AskedBlob, size: number): ByteSource {
  return {
    size,
    open: async (span, signal) => {
      const { digest } = request;
      const reader = await open(parts, digest, span);
      if (reader !== undefined) return watched(parts, reader, digest);
      if (!mayAsk(request)) throw unknownBlob(digest, 'its file is gone');
      const { rule, upstreamRepository } = request.target;
      const source = passThroughSource({ rule, upstreamRepository, digest }, size, parts.upstream);
      return source.open(span, signal);
    },
  };
}

async function open(
  parts: StoredBlobParts,
  digest: Digest,
  span: ByteSpan | undefined,
): Promise<ByteReader | undefined> {
  try {
    return await parts.blobs.open(digest, span);
  } catch (error) {
    noteDamaged(parts, 'open', digest, String(error));
    return undefined;
  }
}

function watched(parts: StoredBlobParts, reader: ByteReader, digest: Digest): ByteReader {
  return {
    read: async (into) => {
      try {
        return await reader.read(into);
      } catch (error) {
        noteDamaged(parts, 'read', digest, String(error));
        throw error;
      }
    },
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}

/** Nothing is deleted because it could not be read: what upstream has is fetched again and takes its place. */
function noteDamaged(
  { blobs, events }: StoredBlobParts,
  operation: string,
  digest: Digest,
  message: string,
): void {
  events.emit({ type: 'storageFailed', operation, message });
  blobs.noteDamaged(digest);
}

export function unknownBlob(digest: Digest, why: string): RegistryError {
  return new RegistryError('blobUnknown', 'blob unknown', { detail: { digest, cause: why } });
}
