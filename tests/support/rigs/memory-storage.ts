import { systemClock } from '../../../src/coordination/system-clock.ts';
import { createFileStorage } from '../../../src/storage/file-storage.ts';
import type { FileStorageOptions, Storage } from '../../../src/storage/file-storage.ts';
import { createMemoryFiles } from './memory-files.ts';

/** Storage as it is on a disk, over files in memory: nothing survives, and no thread hashes. */
export function createMemoryStorage(options: Partial<FileStorageOptions> = {}): Promise<Storage> {
  return createFileStorage({
    dataDir: '/data',
    clock: systemClock,
    events: { emit: () => undefined },
    fileSystem: createMemoryFiles(),
    hashInPlaceMaxBytes: Number.POSITIVE_INFINITY,
    ...options,
  });
}
