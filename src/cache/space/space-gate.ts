import type { BlobStore } from '../../ports/blob-store.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';

const gibibyte = 1024 ** 3;
const measuredForMs = 1000;

/** How much of the volume stays free: a share of it, or bytes; never under 1 GiB. */
export type MinFree = { readonly share: number } | { readonly bytes: number };

/**
 * Whether the volume can take what is to be written (ARCHITECTURE.md, "Space"). Room is reserved for bytes that are here: a size that a
 * client or an upstream only claims keeps nobody else out.
 */
export interface SpaceGate {
  /** False when so many bytes more would go below the watermark. Reserves nothing. */
  fits(bytes: number): Promise<boolean>;
  /** How much is free, where that is not more than the watermark; for questions: it reserves nothing and emits nothing. */
  shortage(): Promise<Shortage | undefined>;
  /** Reserves the bytes of one write; `undefined` when they would go below the watermark. Disposing the reservation frees what is left of it. */
  reserve(bytes: number): Promise<SpaceReservation | undefined>;
}

/** A volume at or below its watermark. */
export interface Shortage {
  readonly freeBytes: number;
  readonly minFreeBytes: number;
}

export interface SpaceGateParts {
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly events: Events;
}

export interface SpaceReservation extends Disposable {
  /** All of the reserved bytes are on the disk now. */
  written(): void;
}

/** Each refusal emits `spaceLow`. */
export function createSpaceGate(
  { blobs, clock, events }: SpaceGateParts,
  minFree: MinFree,
): SpaceGate {
  let reserved = 0;
  let measured: { at: number; freeBytes: number; totalBytes: number } | undefined;

  /** What was written since the last measurement is taken off what is free. */
  async function measure(): Promise<Shortage> {
    if (measured === undefined || clock.elapsed() - measured.at > measuredForMs) {
      measured = { at: clock.elapsed(), ...(await blobs.space()) };
    }
    const { freeBytes, totalBytes } = measured;
    const asked = 'share' in minFree ? minFree.share * totalBytes : minFree.bytes;
    return { freeBytes, minFreeBytes: Math.ceil(Math.max(asked, gibibyte)) };
  }

  async function fits(bytes: number): Promise<boolean> {
    const { freeBytes, minFreeBytes } = await measure();
    const isEnough = bytes <= freeBytes - reserved - minFreeBytes;
    if (!isEnough) events.emit({ type: 'spaceLow', freeBytes, minFreeBytes, wantedBytes: bytes });
    return isEnough;
  }

  return {
    fits,
    shortage: async () => {
      const room = await measure();
      return room.freeBytes - reserved > room.minFreeBytes ? undefined : room;
    },
    reserve: async (bytes) => {
      if (!(await fits(bytes))) return undefined;
      reserved += bytes;
      let left = bytes;
      const release = (): void => {
        reserved -= left;
        left = 0;
      };
      return {
        written: () => {
          if (measured !== undefined) measured.freeBytes -= left;
          release();
        },
        [Symbol.dispose]: release,
      };
    },
  };
}

/** True for what the file system throws: full, read-only, broken. A pull goes on without it. */
export function isStorageFailure(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
