import type { RepositoryKey } from '../../../src/domain/names/registry.ts';
import assert from 'node:assert/strict';
import { parseRepositoryName } from '../../../src/domain/names/repository-name.ts';
import type { UploadLease, Uploads } from '../../../src/ports/uploads.ts';

/** Where the tests' uploads are begun. */
export const uploadPlace: RepositoryKey = {
  registry: '000000000000/us-east-1',
  repository: parseRepositoryName('team/app')!,
};

/** Takes an upload that is there and that nobody has for ever. */
export async function takeUpload(uploads: Uploads, id: string): Promise<UploadLease> {
  const file = await uploads.take(uploadPlace, id, new AbortController().signal);
  assert.ok(file, 'the upload is there');
  return file;
}

export async function beginUpload(uploads: Uploads): Promise<UploadLease> {
  return takeUpload(uploads, await uploads.create(uploadPlace, 'sha256'));
}
