import { createHash } from 'node:crypto';
import type { UploadPlace } from '../../../src/ports/uploads.ts';
import { byteLengthOf } from '../../../src/storage/disk/buffers.ts';
import type { UploadData, UploadShelf } from '../../../src/storage/uploads/upload-data.ts';

/** Uploads of one process's life; `place` makes a blob of the bytes. */
export function createMemoryShelf(place: (path: string, bytes: Uint8Array) => void): UploadShelf {
  const places = new Map<string, UploadPlace>();
  return {
    found: [],
    create: async ({ placeKey }, { registry, repository }) => {
      places.set(placeKey, { registry, repository });
    },
    of: () => createMemoryData(place),
    place: async (placeKey) => places.get(placeKey),
    removeLitter: async (uploads) => {
      const used = new Set([...uploads.values()].map(({ record }) => record.placeKey));
      for (const placeKey of places.keys()) if (!used.has(placeKey)) places.delete(placeKey);
    },
  };
}

function createMemoryData(place: (path: string, bytes: Uint8Array) => void): UploadData {
  let bytes = new Uint8Array(0);
  let size = 0;
  const nothing = (): Promise<void> => Promise.resolve();
  return {
    size: async () => size,
    modifiedAt: async () => undefined,
    open: async () => size,
    append: async (chunks, taken) => {
      const end = size + byteLengthOf(chunks);
      if (end > bytes.byteLength) {
        const grown = new Uint8Array(Math.max(end, bytes.byteLength * 2));
        grown.set(bytes.subarray(0, size));
        bytes = grown;
      }
      for (const chunk of chunks) {
        bytes.set(chunk, size);
        size += chunk.byteLength;
      }
      taken();
      return size;
    },
    truncate: async (to) => {
      size = to;
    },
    sync: nothing,
    hash: async (algorithm) => createHash(algorithm).update(bytes.subarray(0, size)).digest('hex'),
    seal: nothing,
    moveTo: async (path) => place(path, bytes.slice(0, size)),
    close: nothing,
    remove: async () => {
      bytes = new Uint8Array(0);
      size = 0;
    },
  };
}
