import type { ByteReader, ByteSource, ByteSpan } from '../domain/byte-source.ts';
import type { Digest } from '../domain/digest.ts';
import { RegistryError } from '../domain/errors.ts';
import type { BlobClaim, Metadata } from '../metadata/metadata.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Events } from '../ports/events.ts';
import type { Upstream } from '../ports/upstream.ts';
import type { PullRequest } from './cache.ts';
import { passThroughSource } from './pass-through.ts';
import { isRuled } from './pull-manifest.ts';
import { isStorageFailure } from './space-gate.ts';

const holdersMax = 100;

type BlobRequest = PullRequest & { readonly digest: Digest };

/** Blobs on our disk, which may fail: what came from an upstream is then fetched again, what was pushed is never thrown away. */
export interface StoredBlobs {
  /** The stored size; where the file system won't say, the blob counts as not here, and the pull goes on. */
  size(digest: Digest): Promise<number | undefined>;
  /** The size, or `undefined` where the file is not as long as what was fetched: it lost bytes behind our back, and goes. */
  undamaged(
    digest: Digest,
    claim: BlobClaim,
    sizeHere: number | undefined,
  ): Promise<number | undefined>;
  /** The bytes; where the file can't be opened any more, this one client reads from upstream. */
  source(request: BlobRequest, size: number): ByteSource;
}

export function createStoredBlobs(parts: {
  readonly blobs: BlobStore;
  readonly metadata: Metadata;
  readonly upstream: Upstream;
  readonly events: Events;
}): StoredBlobs {
  const failed = (operation: string, message: string): void =>
    parts.events.emit({ type: 'storageFailed', operation, message });

  async function open(digest: Digest, span: ByteSpan | undefined): Promise<ByteReader | undefined> {
    try {
      return await parts.blobs.open(digest, span);
    } catch (error) {
      failed('open', String(error));
      return undefined;
    }
  }

  /** A file that can't be read, or ends early, goes where upstream can give it again. */
  function watched(reader: ByteReader, request: BlobRequest): ByteReader {
    return {
      read: async (into) => {
        try {
          return await reader.read(into);
        } catch (error) {
          failed('read', String(error));
          if (await isOnlyCached(request)) await parts.blobs.delete(request.digest).catch(() => {});
          throw error;
        }
      },
      [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
    };
  }

  /** True where no repository of the registry that holds the blob has anything pushed. */
  async function isOnlyCached(request: BlobRequest): Promise<boolean> {
    if (!isRuled(request)) return false;
    const { registry, digest } = request;
    try {
      const holders = await parts.metadata.findBlobHolders(registry, digest, holdersMax);
      for (const repository of holders) {
        const stored = await parts.metadata.findRepository({ registry, repository });
        if (stored?.pushed === true) return false;
      }
      return holders.length < holdersMax;
    } catch {
      return false;
    }
  }

  return {
    size: async (digest) => {
      try {
        return await parts.blobs.size(digest);
      } catch (error) {
        if (!isStorageFailure(error)) throw error;
        failed('size', String(error));
        return undefined;
      }
    },
    undamaged: async (digest, claim, sizeHere) => {
      if (sizeHere === undefined || !claim.ruleFetched || claim.size === sizeHere) return sizeHere;
      failed('read', `${digest} has ${sizeHere} bytes, ${claim.size} were stored`);
      await parts.blobs.delete(digest);
      return undefined;
    },
    source: (request, size) => ({
      size,
      open: async (span, signal) => {
        const { digest } = request;
        const reader = await open(digest, span);
        if (reader !== undefined) return watched(reader, request);
        if (!isRuled(request) || request.heldOnly === true)
          throw unknownBlob(digest, 'its file is gone');
        const { rule, upstreamRepository } = request.target;
        return passThroughSource({ rule, upstreamRepository, digest }, size, parts.upstream).open(
          span,
          signal,
        );
      },
    }),
  };
}

export function unknownBlob(digest: Digest, why: string): RegistryError {
  return new RegistryError('blobUnknown', 'blob unknown', { detail: { digest, cause: why } });
}
