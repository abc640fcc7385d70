import { findBlobHolders } from './rows/blob-holds.ts';
import { dropAllDeleted } from './rows/deleted-repositories.ts';
import { listImages } from './rows/images.ts';
import type { RegistryMetadata } from './contract/registry-metadata.ts';
import { listRepositories } from './rows/repository-settings.ts';
import type { Read } from './store.ts';
import { listTagRows } from './rows/tags.ts';
import type { Write } from './writes.ts';

export function createRegistrySide(read: Read, write: Write): RegistryMetadata {
  return {
    listRepositories: (registry, options) =>
      read('repositories', (sql) => listRepositories(sql, registry, options)),
    listTagRows: (key, after, limit, counting) =>
      read('tags', (sql) => listTagRows(sql, key, after, limit, counting)),
    listImages: (key, before, limit, counting) =>
      read('images', (sql) => listImages(sql, key, before, limit, counting)),
    findBlobHolders: (registry, digest, limit) =>
      read('holders of a blob', (sql) => findBlobHolders(sql, registry, digest, limit)),

    createRepository: (input) => write('createRepository', input),
    async deleteRepository(input) {
      const outcome = await write('deleteRepository', input);
      // It is deleted whatever becomes of its rows: what is left of them goes when the metadata is opened next.
      if (outcome === 'deleted') await dropAllDeleted(write).catch(() => {});
      return outcome;
    },
    setTagMutability: (input) => write('setTagMutability', input),
    setRepositoryPolicy: (input) => write('setRepositoryPolicy', input),
    putManifest: (input) => write('putManifest', input),
    deleteManifest: (input) => write('deleteManifest', input),
    deleteTag: (input) => write('deleteTag', input),
    holdBlob: (input) => write('holdBlob', input),
    releaseBlob: (input) => write('releaseBlob', input),
  };
}
