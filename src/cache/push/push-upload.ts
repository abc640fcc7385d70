import type { Digest, DigestAlgorithm } from '../../domain/names/digest.ts';
import { algorithmOf } from '../../domain/names/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import type { UploadLease, Uploads } from '../../ports/uploads.ts';
import type { PushTarget } from './push-target.ts';
import type { Pushes, UploadState } from './pushes.ts';
import type { SpaceGate } from '../space/space-gate.ts';
import { answeringStorage, storageAnswer } from '../space/storage-answer.ts';
import type { UploadChunk } from './upload-body.ts';
import { announcedBytes, appendBody } from './upload-body.ts';
import { UploadBudget } from './upload-budget.ts';
import type { PullRequest } from '../pull-request.ts';
import { repositoryKey } from '../pull-request.ts';

/** Of all bodies together; one at full speed takes 2 MiB. */
const uploadMemoryBytesMax = 64 * 1024 * 1024;

export interface PushUploadParts {
  readonly uploads: Uploads;
  readonly blobs: BlobStore;
  readonly space: SpaceGate;
  readonly target: PushTarget;
  readonly maxBlobBytes: number;
  readonly clock: Clock;
  readonly events: Events;
}

interface UploadParts extends PushUploadParts {
  readonly memory: UploadBudget;
  /** Bodies that are arriving. */
  readonly bodies: { count: number };
}

type BlobPushes = Pick<
  Pushes,
  'startUpload' | 'uploadState' | 'appendUpload' | 'finishUpload' | 'putBlob' | 'cancelUpload'
>;
type Request<Name extends keyof BlobPushes> = Parameters<BlobPushes[Name]>[0];
type OfUpload = PullRequest & { readonly id: string };
type StoredBlob = Awaited<ReturnType<BlobPushes['putBlob']>>;

/** Blobs on their way in: begun, appended to, finished. What is acknowledged was synced before. */
export function createBlobPushes(
  given: PushUploadParts,
): BlobPushes & { readonly bodies: { readonly count: number } } {
  const memory = new UploadBudget(uploadMemoryBytesMax);
  const parts = { ...given, memory, bodies: { count: 0 } };
  return {
    bodies: parts.bodies,
    startUpload: (request) => startUpload(parts, request),
    uploadState: (request) => uploadState(parts, request),
    appendUpload: (request, signal) => appendUpload(parts, request, signal),
    finishUpload: (request, signal) => finishUpload(parts, request, signal),
    putBlob: (request, signal) => putBlob(parts, request, signal),
    cancelUpload: (request) => cancelUpload(parts, request),
  };
}

async function startUpload(
  parts: UploadParts,
  request: Request<'startUpload'>,
): Promise<UploadState> {
  await parts.target.require(request);
  return { id: await create(parts, request, request.algorithm), size: 0 };
}

function create(
  { uploads, events }: UploadParts,
  request: Request<'startUpload'> | Request<'putBlob'>,
  algorithm: DigestAlgorithm,
): Promise<string> {
  return answeringStorage('createUpload', events, () =>
    uploads.create(repositoryKey(request), algorithm, request.owner),
  );
}

async function uploadState(parts: UploadParts, request: OfUpload): Promise<UploadState> {
  parts.target.requireRule(request);
  const { id } = request;
  const size = await answeringStorage('uploadState', parts.events, () =>
    parts.uploads.size(repositoryKey(request), id),
  );
  if (size === undefined) throw unknownUpload(request);
  return { id, size };
}

async function appendUpload(
  parts: UploadParts,
  request: Request<'appendUpload'>,
  signal: AbortSignal,
): Promise<UploadState> {
  parts.target.requireRule(request);
  const announced = announcedBytes(request);
  return withUpload(parts, request, signal, async (upload) => {
    await receive(parts, upload, request, announced, signal);
    await upload.sync();
    return { id: upload.id, size: upload.size };
  });
}

async function finishUpload(
  parts: UploadParts,
  request: Request<'finishUpload'>,
  signal: AbortSignal,
): Promise<StoredBlob> {
  await parts.target.require(request);
  const announced = announcedBytes(request);
  const { digest } = request;
  const startedAt = parts.clock.elapsed();
  const size = await withUpload(parts, request, signal, async (upload) => {
    await receive(parts, upload, request, announced, signal);
    return keep(parts, request, upload, digest);
  });
  noteBlob(parts, request, { digest, size }, startedAt);
  return { digest, size };
}

async function putBlob(
  parts: UploadParts,
  request: Request<'putBlob'>,
  signal: AbortSignal,
): Promise<StoredBlob> {
  await parts.target.require(request);
  const { digest, bytes, body } = request;
  const startedAt = parts.clock.elapsed();
  const id = await create(parts, request, algorithmOf(digest));
  const size = await withUpload(parts, { ...request, id }, signal, async (upload) => {
    try {
      await receive(parts, upload, { range: undefined, bytes, body }, bytes, signal);
      return await keep(parts, request, upload, digest);
    } catch (error) {
      // Nobody knows its id: what arrived is of no use to anyone.
      await upload.discard().catch(() => {});
      throw error;
    }
  });
  noteBlob(parts, request, { digest, size }, startedAt);
  return { digest, size };
}

async function cancelUpload(parts: UploadParts, request: OfUpload): Promise<void> {
  parts.target.requireRule(request);
  const cancelled = await answeringStorage('cancelUpload', parts.events, () =>
    parts.uploads.cancel(repositoryKey(request), request.id),
  );
  if (!cancelled) throw unknownUpload(request);
}

/** Runs with the upload taken; what fails is answered as a push's failure, what was cancelled as unknown. */
async function withUpload<T>(
  { uploads, events }: UploadParts,
  request: OfUpload,
  signal: AbortSignal,
  work: (upload: UploadLease) => Promise<T>,
): Promise<T> {
  const taken = await answeringStorage('takeUpload', events, () =>
    uploads.take(repositoryKey(request), request.id, signal),
  );
  if (taken === undefined) throw unknownUpload(request);
  await using upload = taken;
  try {
    return await work(upload);
  } catch (error) {
    if (upload.cancelled.aborted) throw unknownUpload(request);
    throw storageAnswer(error, 'upload', events);
  }
}

/** The request's bytes at the upload's end; `uploadRange` where they belong elsewhere. */
async function receive(
  { bodies, events, maxBlobBytes, memory, space }: UploadParts,
  upload: UploadLease,
  chunk: UploadChunk,
  announced: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (chunk.range !== undefined && chunk.range.start !== upload.size) throw outOfOrder(upload);
  if (announced === 0) return;
  const answer = (error: unknown): unknown => storageAnswer(error, 'upload', events);
  bodies.count += 1;
  try {
    const limits = { announced, maxBlobBytes, space, memory, answer };
    await appendBody(upload, chunk.body, limits, signal);
  } finally {
    bodies.count -= 1;
  }
}

/** From an upload to this repository's blob: hashed, synced, in its place, and held. */
async function keep(
  { blobs, target }: UploadParts,
  request: PullRequest,
  upload: UploadLease,
  digest: Digest,
): Promise<number> {
  const { size } = upload;
  if (!(await upload.verify(digest))) {
    await upload.discard();
    throw new RegistryError('digestInvalid', 'the digest is not that of the uploaded bytes', {
      detail: { digest, size },
    });
  }
  const sealed = await upload.seal(digest);
  await blobs.adopt(sealed);
  await target.hold(request, digest);
  return sealed.size;
}

function noteBlob(
  { clock, events }: UploadParts,
  request: PullRequest,
  { digest, size }: StoredBlob,
  startedAt: number,
): void {
  events.emit({
    type: 'pushed',
    kind: 'blob',
    repository: request.target.repository,
    digest,
    bytes: size,
    durationMs: clock.elapsed() - startedAt,
  });
}

function unknownUpload(request: OfUpload): RegistryError {
  return new RegistryError('uploadUnknown', 'no such upload', {
    detail: { id: request.id, hint: 'uploads end when finished, cancelled, or untouched for 24 h' },
  });
}

function outOfOrder(upload: UploadLease): RegistryError {
  return new RegistryError('uploadRange', `the upload goes on at byte ${upload.size}`, {
    detail: { id: upload.id, size: upload.size },
  });
}
