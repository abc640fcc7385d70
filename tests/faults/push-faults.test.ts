import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { RegistryError } from '../../src/domain/errors.ts';
import type { Metadata } from '../../src/metadata/contract/metadata.ts';
import { MetadataError } from '../../src/metadata/contract/metadata-error.ts';
import { createFileStorage } from '../../src/storage/file-storage.ts';
import { nodeFileSystem } from '../../src/storage/disk/file-system.ts';
import type { Storage } from '../../src/storage/file-storage.ts';
import { systemClock } from '../../src/coordination/system-clock.ts';
import { assertBytes, createCacheRig, randomBytes, readAll } from '../support/rigs/cache-rig.ts';
import type { CacheRig } from '../support/rigs/cache-rig.ts';
import { createFailingFileSystem } from '../support/rigs/failing-file-system.ts';
import type { Failure, FailingFileSystem } from '../support/rigs/failing-file-system.ts';
import {
  bodyOf,
  bytesOf,
  emptyJson,
  imageOf,
  pushBlob,
  pushManifest,
} from '../support/rigs/push-rig.ts';
import { digestOf } from '../support/samples/digest.ts';

const name = 'team/app';
const layer = randomBytes(600_000);
const image = imageOf(layer);
const digest = digestOf(layer);

interface FileRig extends AsyncDisposable {
  readonly rig: CacheRig;
  readonly files: FailingFileSystem;
}

/** A cache on real files of which one call fails. */
async function createFileRig(fails: Failure): Promise<FileRig> {
  const folder = await mkdtemp(join(tmpdir(), 'breakwater-push-faults-'));
  const files = createFailingFileSystem(nodeFileSystem, fails);
  const options = { dataDir: folder, clock: systemClock, fileSystem: files.fileSystem };
  const open = (): Promise<Storage> =>
    createFileStorage({ ...options, events: { emit: () => {} } });
  // The first calls make folders: a server that can't make them does not start.
  const storage = await open().catch(() => open());
  const rig = await createCacheRig({ storage });
  return {
    rig,
    files,
    [Symbol.asyncDispose]: async () => {
      await rig[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** In chunks, in one request, and the manifest. */
async function pushAll(rig: CacheRig): Promise<void> {
  const { pushes } = rig.cache;
  const request = rig.request(name);
  const { id } = await pushes.startUpload({ ...request, algorithm: 'sha256' });
  const none = { range: undefined, bytes: undefined } as const;
  const chunk = (start: number, end?: number) => bodyOf(layer.slice(start, end));
  await pushes.appendUpload({ ...request, id, ...none, body: chunk(0, 300_000) }, rig.signal);
  const range = { start: 300_000, end: 399_999 };
  const second = { ...request, id, range, bytes: 100_000, body: chunk(300_000, 400_000) };
  await pushes.appendUpload(second, rig.signal);
  const last = { ...request, id, ...none, digest, body: chunk(400_000) };
  await pushes.finishUpload(last, rig.signal);
  await pushBlob(rig, name, emptyJson);
  await pushManifest(rig, name, 'v1', image);
}

async function assertWhole(rig: CacheRig): Promise<void> {
  assertBytes((await rig.manifest(name, 'v1')).bytes, bytesOf(image));
  assertBytes(await readAll((await rig.blob(name, digest)).source, undefined, 600_000), layer);
}

/** A client that is told why, and no more than that. */
function assertClean(error: unknown, codes: readonly string[]): void {
  if (!(error instanceof RegistryError)) throw error;
  assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`);
}

suite('the n-th file-system call fails during a push', () => {
  for (const [fails, codes] of [
    [{ code: 'EIO' }, ['storageFailed']],
    [{ code: 'ENOSPC', only: 'writev' }, ['storageFull']],
    [{ code: 'ENOSPC', only: 'rename' }, ['storageFull']],
    [{ code: 'EROFS', only: 'open' }, ['storageFailed']],
  ] as const) {
    test(`${fails.code}${'only' in fails ? ` from ${fails.only}` : ''}: a clean answer, nothing left open, and the next push works`, async () => {
      for (let at = 1; ; at += 1) {
        await using faulty = await createFileRig({ ...fails, at });
        const { rig, files } = faulty;
        const failed = await pushAll(rig).then(
          () => false,
          (error: unknown) => {
            assertClean(error, codes);
            return true;
          },
        );
        assert.equal(files.openDescriptors, 0, `call ${at} leaves a descriptor open`);
        if (failed) await pushAll(rig);
        await assertWhole(rig).catch(() => assertWhole(rig));
        assert.equal(files.openDescriptors, 0, `call ${at} leaves a descriptor open`);
        if (!files.failed) return;
        assert.ok(at < 300, 'the calls of a push are bounded');
      }
    });
  }
});

suite('the n-th write of metadata fails during a push', () => {
  test('what was acknowledged is there, and the next push works', async () => {
    for (let at = 1; ; at += 1) {
      let calls = 0;
      const fail = <T>(write: () => Promise<T>): Promise<T> => {
        calls += 1;
        return calls === at ? Promise.reject(new MetadataError('failed', 'scripted')) : write();
      };
      const around = (metadata: Metadata): Metadata => ({
        ...metadata,
        blobs: {
          ...metadata.blobs,
          holdBlob: (input) => fail(() => metadata.blobs.holdBlob(input)),
        },
        manifests: {
          ...metadata.manifests,
          putManifest: (input) => fail(() => metadata.manifests.putManifest(input)),
        },
      });
      await using rig = await createCacheRig({ around });
      const failed = await pushAll(rig).then(
        () => false,
        (error: unknown) => {
          assertClean(error, ['storageFailed']);
          return true;
        },
      );
      if (failed) await pushAll(rig);
      await assertWhole(rig);
      if (!failed) return;
      assert.ok(at < 20, 'the writes of a push are bounded');
    }
  });
});
