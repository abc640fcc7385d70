import type { Digest } from '../../domain/names/digest.ts';
import { algorithmOf } from '../../domain/names/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import type { UploadLease, UploadPlace, Uploads } from '../../ports/uploads.ts';
import { holdPushed } from './hold-pushed.ts';
import type { PushSettings, PushTarget } from './push-target.ts';
import type { Pushes, UploadState } from './pushes.ts';
import type { SpaceGate } from '../space/space-gate.ts';
import { storageAnswer } from '../space/storage-answer.ts';
import type { UploadBody } from './upload-body.ts';
import { announcedBytes, appendBody } from './upload-body.ts';
import { createUploadBudget } from './upload-budget.ts';
import type { RepositoryMemory } from '../memory/repository-memory.ts';
import type { PullRequest } from '../pull-request.ts';

/** Of all bodies together; one at full speed takes 2 MiB. */
const uploadMemoryBytesMax = 64 * 1024 * 1024;

export interface PushUploadParts {
  readonly uploads: Uploads;
  readonly blobs: BlobStore;
  readonly metadata: Metadata;
  readonly repositories: RepositoryMemory;
  readonly space: SpaceGate;
  readonly target: PushTarget;
  readonly settings: () => PushSettings;
  readonly maxBlobBytes: number;
  readonly clock: Clock;
  readonly events: Events;
}

type BlobPushes = Pick<
  Pushes,
  'startUpload' | 'uploadState' | 'appendUpload' | 'finishUpload' | 'putBlob' | 'cancelUpload'
>;

/** Blobs on their way in: begun, appended to, finished. What is acknowledged was synced before. */
export function createBlobPushes(
  parts: PushUploadParts,
): BlobPushes & { readonly bodies: { readonly count: number } } {
  const { uploads, target } = parts;
  const memory = createUploadBudget(uploadMemoryBytesMax);
  let bodies = 0;

  /** Runs with the upload taken; what fails is told as a push's failure, what was cancelled as unknown. */
  async function withUpload<T>(
    request: PullRequest & { readonly id: string },
    signal: AbortSignal,
    work: (file: UploadLease) => Promise<T>,
  ): Promise<T> {
    const taken = await written('takeUpload', () =>
      uploads.take(placeOf(request), request.id, signal),
    );
    if (taken === undefined) throw unknownUpload(request);
    await using file = taken;
    try {
      return await work(file);
    } catch (error) {
      if (file.cancelled.aborted) throw unknownUpload(request);
      throw storageAnswer(error, 'upload', parts.events);
    }
  }

  async function written<T>(operation: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw storageAnswer(error, operation, parts.events);
    }
  }

  /** The request's bytes at the upload's end; `uploadRange` where they belong elsewhere. */
  async function receive(
    file: UploadLease,
    chunk: UploadBody,
    announced: number | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    if (chunk.range !== undefined && chunk.range.start !== file.size) throw outOfOrder(file);
    if (announced === 0) return;
    const answer = (error: unknown): unknown => storageAnswer(error, 'upload', parts.events);
    bodies += 1;
    try {
      const { maxBlobBytes, space } = parts;
      const limits = { announced, maxBlobBytes, space, memory, answer };
      await appendBody(file, chunk.body, limits, signal);
    } finally {
      bodies -= 1;
    }
  }

  /** From an upload to this repository's blob: hashed, synced, in its place, and held. */
  async function keep(request: PullRequest, file: UploadLease, digest: Digest): Promise<number> {
    const { size } = file;
    if (!(await file.verify(digest))) {
      await file.discard();
      throw new RegistryError('digestInvalid', 'the digest is not that of the uploaded bytes', {
        detail: { digest, size },
      });
    }
    const sealed = await file.seal(digest);
    await parts.blobs.adopt(sealed);
    await holdPushed(parts, request, digest);
    return sealed.size;
  }

  function tell(request: PullRequest, digest: Digest, bytes: number, startedAt: number): void {
    parts.events.emit({
      type: 'pushed',
      kind: 'blob',
      repository: request.target.repository,
      digest,
      bytes,
      durationMs: parts.clock.elapsed() - startedAt,
    });
  }

  return {
    bodies: {
      get count() {
        return bodies;
      },
    },
    startUpload: async (request) => {
      await target.require(request);
      const id = await written('createUpload', () =>
        uploads.create(placeOf(request), request.algorithm, request.owner),
      );
      return { id, size: 0 };
    },
    uploadState: async (request) => {
      target.requireRule(request);
      const size = await written('uploadState', () => uploads.size(placeOf(request), request.id));
      if (size === undefined) throw unknownUpload(request);
      return { id: request.id, size };
    },
    appendUpload: async (request, signal) => {
      target.requireRule(request);
      const announced = announcedBytes(request);
      return withUpload(request, signal, async (file): Promise<UploadState> => {
        await receive(file, request, announced, signal);
        await file.sync();
        return { id: file.id, size: file.size };
      });
    },
    finishUpload: async (request, signal) => {
      await target.require(request);
      const announced = announcedBytes(request);
      const startedAt = parts.clock.elapsed();
      const size = await withUpload(request, signal, async (file) => {
        await receive(file, request, announced, signal);
        return keep(request, file, request.digest);
      });
      tell(request, request.digest, size, startedAt);
      return { digest: request.digest, size };
    },
    putBlob: async (request, signal) => {
      await target.require(request);
      const { digest, bytes, body } = request;
      const startedAt = parts.clock.elapsed();
      const id = await written('createUpload', () =>
        uploads.create(placeOf(request), algorithmOf(digest), request.owner),
      );
      const size = await withUpload({ ...request, id }, signal, async (file) => {
        try {
          await receive(file, { range: undefined, bytes, body }, bytes, signal);
          return await keep(request, file, digest);
        } catch (error) {
          // Nobody knows its id: what arrived is of no use to anyone.
          await file.discard().catch(() => {});
          throw error;
        }
      });
      tell(request, digest, size, startedAt);
      return { digest, size };
    },
    cancelUpload: async (request) => {
      target.requireRule(request);
      const cancelled = await written('cancelUpload', () =>
        uploads.cancel(placeOf(request), request.id),
      );
      if (!cancelled) throw unknownUpload(request);
    },
  };
}

function placeOf(request: PullRequest): UploadPlace {
  return { registry: request.registry, repository: request.target.repository };
}

function unknownUpload(request: PullRequest & { readonly id: string }): RegistryError {
  return new RegistryError('uploadUnknown', 'no such upload', {
    detail: { id: request.id, hint: 'uploads end when finished, cancelled, or untouched for 24 h' },
  });
}

function outOfOrder(file: UploadLease): RegistryError {
  return new RegistryError('uploadRange', `the upload goes on at byte ${file.size}`, {
    detail: { id: file.id, size: file.size },
  });
}
