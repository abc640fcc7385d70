import type { SpaceGate, SpaceReservation } from './space-gate.ts';
import { storageFull } from './storage-answer.ts';

/** Of a body whose length nobody said, room is taken in such steps. */
const stepBytes = 8 * 1024 * 1024;

/** The room on the volume that one body takes; disposing gives back what was not written. */
export interface UploadRoom extends Disposable {
  /** Before so many bytes are written. Throws `storageFull`. */
  take(bytes: number): Promise<void>;
  written(bytes: number): void;
}

/** Room for the whole body where its length was announced; throws `storageFull` where it would go below `minFree`. */
export async function createUploadRoom(
  space: SpaceGate,
  announced: number | undefined,
): Promise<UploadRoom> {
  let current: SpaceReservation | undefined;
  let left = 0;
  const reserve = async (bytes: number): Promise<void> => {
    const reserved = await space.reserve(bytes);
    if (reserved === undefined) throw storageFull();
    current?.[Symbol.dispose]();
    current = reserved;
    left = bytes;
  };
  if (announced !== undefined) await reserve(announced);
  return {
    take: async (bytes) => {
      if (bytes > left) await reserve(Math.max(bytes, stepBytes));
      left -= bytes;
    },
    written: (bytes) => current?.written(bytes),
    [Symbol.dispose]: () => current?.[Symbol.dispose](),
  };
}
