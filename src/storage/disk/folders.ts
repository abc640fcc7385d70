import { dirname } from 'node:path';
import type { FileSystem } from './file-system.ts';

/**
 * Folders whose own names, and the names in them, are known to be on the disk. What an earlier process or a failed call left
 * unsynced is synced once, at the first use.
 */
export interface Folders {
  /** Makes the folder if it is not there; its parent must be. */
  ensure(path: string): Promise<void>;
  /** Syncs the names in the folder. */
  sync(path: string): Promise<void>;
  /** Forgets which folders are synced; call after any I/O error. */
  forgetAll(): void;
}

export function createFolders(files: FileSystem): Folders {
  const settled = new Set<string>();
  const orForget = async (work: Promise<void>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      settled.clear();
      throw error;
    }
  };
  const settle = async (path: string): Promise<void> => {
    await files.mkdir(path);
    await files.syncFolder(dirname(path));
    await files.syncFolder(path);
    settled.add(path);
  };
  return {
    ensure: async (path) => {
      if (!settled.has(path)) await orForget(settle(path));
    },
    sync: (path) => orForget(files.syncFolder(path)),
    forgetAll: () => settled.clear(),
  };
}

/** Makes `path` and its missing parents; the names of those made are on the disk when this resolves. */
export async function makeFolders(files: FileSystem, path: string): Promise<void> {
  if ((await files.stat(path)) !== undefined) return;
  const parent = dirname(path);
  if (parent !== path) await makeFolders(files, parent);
  if (await files.mkdir(path)) await files.syncFolder(parent);
}
