import type { Digest, DigestAlgorithm } from '../../domain/names/digest.ts';
import { algorithmOf } from '../../domain/names/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { UploadLease } from '../../ports/uploads.ts';
import type { PushParts } from './push-parts.ts';
import { holdBlob, requirePush, requirePushRule } from './push-target.ts';
import type { PushRequest, Pushes, UploadState } from './pushes.ts';
import { answeringStorage, storageAnswer } from '../space/storage-answer.ts';
import type { UploadChunk } from './upload-body.ts';
import { announcedBytes, appendBody } from './upload-body.ts';
import type { PullRequest } from '../pull-request.ts';
import { repositoryKey } from '../pull-request.ts';

type OfUpload = PullRequest & { readonly id: string };
type StoredBlob = Awaited<ReturnType<Pushes['putBlob']>>;

/** Blobs on their way in: begun, appended to, finished. What is acknowledged was synced before. */
export async function startUpload(
  parts: PushParts,
  request: PushRequest<'startUpload'>,
): Promise<UploadState> {
  await requirePush(parts, request);
  return { id: await create(parts, request, request.algorithm), size: 0 };
}

function create(
  { uploads, events }: PushParts,
  request: PushRequest<'startUpload'> | PushRequest<'putBlob'>,
  algorithm: DigestAlgorithm,
): Promise<string> {
  return answeringStorage('createUpload', events, () =>
    uploads.create(repositoryKey(request), algorithm, request.owner),
  );
}

export async function uploadState(parts: PushParts, request: OfUpload): Promise<UploadState> {
  requirePushRule(request);
  const { id } = request;
  const size = await answeringStorage('uploadState', parts.events, () =>
    parts.uploads.size(repositoryKey(request), id),
  );
  if (size === undefined) throw unknownUpload(request);
  return { id, size };
}

export async function appendUpload(
  parts: PushParts,
  request: PushRequest<'appendUpload'>,
  signal: AbortSignal,
): Promise<UploadState> {
  requirePushRule(request);
  const announced = announcedBytes(request);
  return withUpload(parts, request, signal, async (upload) => {
    await receive(parts, upload, request, announced, signal);
    await upload.sync();
    return { id: upload.id, size: upload.size };
  });
}

export async function finishUpload(
  parts: PushParts,
  request: PushRequest<'finishUpload'>,
  signal: AbortSignal,
): Promise<StoredBlob> {
  await requirePush(parts, request);
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

export async function putBlob(
  parts: PushParts,
  request: PushRequest<'putBlob'>,
  signal: AbortSignal,
): Promise<StoredBlob> {
  await requirePush(parts, request);
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

export async function cancelUpload(parts: PushParts, request: OfUpload): Promise<void> {
  requirePushRule(request);
  const cancelled = await answeringStorage('cancelUpload', parts.events, () =>
    parts.uploads.cancel(repositoryKey(request), request.id),
  );
  if (!cancelled) throw unknownUpload(request);
}

/** Runs with the upload taken; what fails is answered as a push's failure, what was cancelled as unknown. */
async function withUpload<T>(
  { uploads, events }: PushParts,
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
  { bodies, events, maxBlobBytes, memory, space }: PushParts,
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
  parts: PushParts,
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
  await parts.blobs.adopt(sealed);
  await holdBlob(parts, request, digest);
  return sealed.size;
}

function noteBlob(
  { clock, events }: PushParts,
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
