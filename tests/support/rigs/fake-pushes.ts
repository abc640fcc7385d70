import { buffer } from 'node:stream/consumers';
import type { Pushes } from '../../../src/cache/push/pushes.ts';
import type { PullRequest } from '../../../src/cache/pull-request.ts';
import { RegistryError } from '../../../src/domain/errors.ts';
import type { RepositoryName } from '../../../src/domain/names/repository-name.ts';
import { digestOf } from '../samples/digest.ts';
import type { Invalidations } from '../../../src/ports/invalidations.ts';

/** Takes every push, and records what it was asked: what the front-end is tested against. */
export interface FakePushes extends Pushes {
  /** In order: `startUpload team/app sha256`. */
  readonly calls: string[];
  /** Thrown by every call while set. */
  failure: Error | undefined;
  /** For whom uploads and whole blobs were begun, in order. */
  readonly owners: (string | undefined)[];
  /** Sizes of uploads by id. */
  readonly uploads: Map<string, number>;
  /** Where any blob can be mounted from. */
  sources: readonly RepositoryName[];
  /** True: manifests name what only upstream has. */
  needsImport: boolean;
  /** Run where a push is committed, before it is answered. */
  committing: (repository: RepositoryName) => Promise<void> | void;
}

/** What it commits it notes, as the real ones do. */
export function createFakePushes(invalidations: Pick<Invalidations, 'note'>): FakePushes {
  const commit = async ({ registry, target: { repository } }: PullRequest): Promise<void> => {
    await fake.committing(repository);
    invalidations.note({ kind: 'repository', registry, repository });
  };
  const called = (call: string): void => {
    fake.calls.push(call);
    if (fake.failure !== undefined) throw fake.failure;
  };
  const append = async (
    id: string,
    range: { readonly start: number } | undefined,
    body: AsyncIterable<Uint8Array>,
  ): Promise<number> => {
    const size = fake.uploads.get(id);
    if (size === undefined) throw new RegistryError('uploadUnknown', 'no such upload');
    if (range !== undefined && range.start !== size)
      throw new RegistryError('uploadRange', 'out of place', { detail: { id, size } });
    const bytes = await buffer(body);
    fake.uploads.set(id, size + bytes.length);
    return size + bytes.length;
  };
  const fake: FakePushes = {
    calls: [],
    owners: [],
    failure: undefined,
    uploads: new Map(),
    sources: [],
    needsImport: false,
    committing: () => {},
    requirePush: async ({ target }) => called(`requirePush ${target.repository}`),
    startUpload: async ({ target, algorithm, owner }) => {
      fake.owners.push(owner);
      called(`startUpload ${target.repository} ${algorithm}`);
      const id = `00000000-0000-4000-8000-${String(fake.uploads.size).padStart(12, '0')}`;
      fake.uploads.set(id, 0);
      return { id, size: 0 };
    },
    uploadState: async ({ id }) => {
      const size = fake.uploads.get(id);
      if (size === undefined) throw new RegistryError('uploadUnknown', 'no such upload');
      return { id, size };
    },
    appendUpload: async ({ id, range, body }) => {
      called(`appendUpload ${range === undefined ? 'stream' : `${range.start}-${range.end}`}`);
      return { id, size: await append(id, range, body) };
    },
    finishUpload: async ({ registry, target, id, digest, range, body }) => {
      called(`finishUpload ${digest}`);
      const size = await append(id, range, body);
      fake.uploads.delete(id);
      await commit({ registry, target });
      return { digest, size };
    },
    putBlob: async ({ registry, target, digest, body, owner }) => {
      fake.owners.push(owner);
      const bytes = await buffer(body);
      called(`putBlob ${target.repository} ${bytes.length}`);
      await commit({ registry, target });
      return { digest, size: bytes.length };
    },
    cancelUpload: async ({ id }) => {
      called('cancelUpload');
      if (!fake.uploads.delete(id)) throw new RegistryError('uploadUnknown', 'no such upload');
    },
    mountSources: async ({ from }) => (from === undefined ? fake.sources : [from]),
    mountBlob: async ({ registry, target, from }) => {
      called(`mountBlob ${from} ${target.repository}`);
      if (!fake.sources.includes(from)) return false;
      await commit({ registry, target });
      return true;
    },
    putManifest: async ({ registry, target, reference, tags, bytes, contentType, mayImport }) => {
      called(`putManifest ${target.repository} ${bytes.length}`);
      if (fake.needsImport && !(await mayImport()))
        throw new RegistryError('manifestBlobUnknown', 'not here');
      await commit({ registry, target });
      const set = reference.kind === 'tag' ? [reference.tag] : [...tags];
      const digest = reference.kind === 'digest' ? reference.digest : digestOf(bytes);
      const mediaType = contentType ?? '';
      return { digest, mediaType, size: bytes.length, subject: undefined, tags: set, hides: [] };
    },
    deleteManifest: async ({ target, reference }) => {
      called(`deleteManifest ${target.repository}`);
      return { digest: reference.kind === 'digest' ? reference.digest : digestOf(''), tags: [] };
    },
    expireManifests: async ({ target, images }) => {
      called(`expireManifests ${target.repository} ${images.length}`);
      return images.map(({ digest }) => digest);
    },
    deleteBlob: async ({ target }) => called(`deleteBlob ${target.repository}`),
    createRepository: async ({ target }) => called(`createRepository ${target.repository}`),
    deleteRepository: async ({ target }) => called(`deleteRepository ${target.repository}`),
    setTagMutability: async ({ target }) => called(`setTagMutability ${target.repository}`),
  };
  return fake;
}
