import type { BlobStore } from '../ports/blob-store.ts';
import type { Clock } from '../ports/clock.ts';

const gibibyte = 1024 ** 3;
const measuredForMs = 1000;

/** How much of the volume stays free: a share of it, or bytes; never under 1 GiB. */
export type MinFree = { readonly share: number } | { readonly bytes: number };

/** Decides before a download's first byte whether the disk can take it (design.md §3, "Space"). */
export interface SpaceGate {
  /** Reserves the bytes; `undefined` when they would go below the watermark. Disposing the reservation frees what is left of it. */
  reserve(bytes: number): Promise<SpaceReservation | undefined>;
}

export interface SpaceReservation extends Disposable {
  /** So many of the reserved bytes are on the disk now, and counted there. */
  written(bytes: number): void;
}

export function createSpaceGate(blobs: BlobStore, minFree: MinFree, clock: Clock): SpaceGate {
  let reserved = 0;
  let measured: { at: number; freeBytes: number; totalBytes: number } | undefined;

  async function freeBytes(): Promise<{ freeBytes: number; floor: number }> {
    if (measured === undefined || clock.elapsed() - measured.at > measuredForMs) {
      measured = { at: clock.elapsed(), ...(await blobs.space()) };
    }
    const asked = 'share' in minFree ? minFree.share * measured.totalBytes : minFree.bytes;
    return { freeBytes: measured.freeBytes, floor: Math.max(asked, gibibyte) };
  }

  return {
    reserve: async (bytes) => {
      const space = await freeBytes();
      if (space.freeBytes - reserved - bytes < space.floor) return undefined;
      reserved += bytes;
      let left = bytes;
      const give = (count: number): void => {
        const freed = Math.min(left, count);
        left -= freed;
        reserved -= freed;
      };
      return { written: give, [Symbol.dispose]: () => give(left) };
    },
  };
}

/** True for what the file system throws: full, read-only, broken. A pull goes on without it. */
export function isStorageFailure(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
