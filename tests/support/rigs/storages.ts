import assert from 'node:assert/strict';
import { nodeFileSystem } from '../../../src/storage/disk/file-system.ts';
import type { FileSystem } from '../../../src/storage/disk/file-system.ts';
import { createFileStorage } from '../../../src/storage/file-storage.ts';
import type { Storage } from '../../../src/storage/file-storage.ts';
import { createMemoryStorage } from './memory-storage.ts';
import { createFailingFileSystem } from './failing-file-system.ts';
import { createFakeClock } from './fake-clock.ts';
import { createPowerCut } from './power-cut.ts';
import { recordEvents, temporaryFolder } from '../samples/storage-samples.ts';

/** Storage in a folder of its own, removed with it; leaving a descriptor open fails. */
async function onFiles(
  fileSystem: (root: string) => FileSystem,
  hashInPlaceMaxBytes?: number,
): Promise<Storage> {
  const folder = temporaryFolder();
  const counted = createFailingFileSystem(fileSystem(folder.path), { code: 'none', at: 0 });
  const events = recordEvents();
  const storage = await createFileStorage({
    dataDir: `${folder.path}/data`,
    clock: createFakeClock(),
    events,
    fileSystem: counted.fileSystem,
    ...(hashInPlaceMaxBytes === undefined ? {} : { hashInPlaceMaxBytes }),
  });
  return {
    ...storage,
    [Symbol.asyncDispose]: async () => {
      await storage[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
      assert.deepEqual(events.all, []);
      assert.equal(counted.openDescriptors, 0);
    },
  };
}

/** Every storage there is, each empty, by name. */
export const storages: readonly (readonly [name: string, make: () => Promise<Storage>])[] = [
  ['in memory', () => createMemoryStorage()],
  ['on files', () => onFiles(() => nodeFileSystem)],
  ['on files, hashed by workers', () => onFiles(() => nodeFileSystem, -1)],
  ['on the power-cut model', () => onFiles((root) => createPowerCut(root).boot())],
];
