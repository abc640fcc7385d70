import { deleteBlob, deleteManifest, expireManifests } from './delete-content.ts';
import { mountBlob, mountSources } from './mount-blob.ts';
import { putManifest } from './push-manifest.ts';
import type { PushParts } from './push-parts.ts';
import { requirePush } from './push-target.ts';
import {
  appendUpload,
  cancelUpload,
  finishUpload,
  putBlob,
  startUpload,
  uploadState,
} from './push-upload.ts';
import type { Pushes } from './pushes.ts';
import { createRepository, deleteRepository, setTagMutability } from './repositories.ts';
import { UploadBudget } from './upload-budget.ts';

/** Of all bodies together; one at full speed takes 2 MiB. */
const uploadMemoryBytesMax = 64 * 1024 * 1024;

/** The pushing side over the same blobs, metadata and memory that the pulls use; `bodies`: those of uploads that are being received. */
export function createPushes(given: Omit<PushParts, 'memory' | 'bodies'>): {
  readonly pushes: Pushes;
  readonly bodies: { readonly count: number };
} {
  const bodies = { count: 0 };
  const parts = { ...given, bodies, memory: new UploadBudget(uploadMemoryBytesMax) };
  const pushes: Pushes = {
    requirePush: (request) => requirePush(parts, request),
    startUpload: (request) => startUpload(parts, request),
    uploadState: (request) => uploadState(parts, request),
    appendUpload: (request, signal) => appendUpload(parts, request, signal),
    finishUpload: (request, signal) => finishUpload(parts, request, signal),
    putBlob: (request, signal) => putBlob(parts, request, signal),
    cancelUpload: (request) => cancelUpload(parts, request),
    mountSources: (request) => mountSources(parts, request),
    mountBlob: (request) => mountBlob(parts, request),
    putManifest: (request) => putManifest(parts, request),
    deleteManifest: (request) => deleteManifest(parts, request),
    expireManifests: (request) => expireManifests(parts, request),
    deleteBlob: (request) => deleteBlob(parts, request),
    createRepository: (request) => createRepository(parts, request),
    deleteRepository: (request) => deleteRepository(parts, request),
    setTagMutability: (request) => setTagMutability(parts, request),
  };
  return { pushes, bodies };
}
