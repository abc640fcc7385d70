import type { ByteReader, ByteSource, ByteSpan } from '../../domain/byte-source.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { BlobClaim } from '../../metadata/contract/metadata.ts';
import type { Events } from '../../ports/events.ts';
import type { Upstream } from '../../ports/upstream.ts';
import { passThroughSource } from '../download/pass-through.ts';
import type { RepairedBlobs } from './repaired-blobs.ts';
import { isStorageFailure } from '../space/space-gate.ts';
import type { PullRequest } from '../pull-request.ts';
import { mayAsk } from '../pull-request.ts';

type BlobRequest = PullRequest & { readonly digest: Digest };

/** Blobs on our disk, which may fail. Nothing is deleted because it could not be read: what upstream has is fetched again and takes its place. */
export interface StoredBlobs {
  /** The stored size; where the file system won't say, the blob counts as not here, and the pull goes on. */
  size(digest: Digest): Promise<number | undefined>;
  /**
   * The size of a file that can be given out; `undefined` where it has lost bytes, or could not be read and upstream can give
   * it again.
   */
  undamaged(
    request: BlobRequest,
    claim: BlobClaim,
    sizeHere: number | undefined,
  ): number | undefined;
  /** The bytes; where the file can't be opened any more, this one client reads from upstream. */
  source(request: BlobRequest, size: number): ByteSource;
}

export function createStoredBlobs(parts: {
  readonly blobs: RepairedBlobs;
  readonly upstream: Upstream;
  readonly events: Events;
}): StoredBlobs {
  const { blobs } = parts;
  const failed = (operation: string, message: string): void =>
    parts.events.emit({ type: 'storageFailed', operation, message });

  async function open(digest: Digest, span: ByteSpan | undefined): Promise<ByteReader | undefined> {
    try {
      return await blobs.open(digest, span);
    } catch (error) {
      failed('open', String(error));
      blobs.noteDamaged(digest);
      return undefined;
    }
  }

  function watched(reader: ByteReader, digest: Digest): ByteReader {
    return {
      read: async (into) => {
        try {
          return await reader.read(into);
        } catch (error) {
          failed('read', String(error));
          blobs.noteDamaged(digest);
          throw error;
        }
      },
      [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
    };
  }

  return {
    size: async (digest) => {
      try {
        return await blobs.size(digest);
      } catch (error) {
        if (!isStorageFailure(error)) throw error;
        failed('size', String(error));
        return undefined;
      }
    },
    undamaged: (request, { held, fetchedBytes }, sizeHere) => {
      const { digest } = request;
      if (sizeHere === undefined) return undefined;
      if (fetchedBytes !== undefined && fetchedBytes !== sizeHere) {
        failed('read', `${digest} has ${sizeHere} bytes, ${fetchedBytes} were stored`);
        blobs.noteDamaged(digest);
        return undefined;
      }
      const elsewhere = mayAsk(request) && (held === 'fetched' || fetchedBytes !== undefined);
      return elsewhere && blobs.isDamaged(digest) ? undefined : sizeHere;
    },
    source: (request, size) => ({
      size,
      open: async (span, signal) => {
        const { digest } = request;
        const reader = await open(digest, span);
        if (reader !== undefined) return watched(reader, digest);
        if (!mayAsk(request)) throw unknownBlob(digest, 'its file is gone');
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
