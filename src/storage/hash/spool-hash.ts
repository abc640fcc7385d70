import { createHash } from 'node:crypto';
import type { DigestAlgorithm } from '../../domain/names/digest.ts';
import type { HashJob, HashPool } from './hash-pool.ts';
import type { WriteBlock } from '../disk/write-blocks.ts';

/** The hash of one spool file: beside its growth in a worker, or at its end in place where it is small. */
export interface SpoolHash extends Disposable {
  /** The first `prefix` bytes have arrived. */
  progress(prefix: number): void;
  /** The first `length` bytes of the block arrive at `position`; those before it have. */
  feed(block: WriteBlock, length: number, position: number): void;
  /** The hex digest of the first `size` bytes, all of which have arrived. A failed attempt starts anew at the next call. */
  finish(size: number): Promise<string>;
  /** Forgets what was hashed. */
  restart(): void;
}

export interface SpoolHashSource {
  readonly path: string;
  readonly algorithm: DigestAlgorithm;
  /** Reads the file; never gives 0 below the size. */
  readonly read: (into: Uint8Array, position: number) => Promise<number>;
}

const blockBytes = 256 * 1024;

/** Up to `inPlaceMaxBytes` a file is hashed on the calling thread: sooner done than asked of a worker. */
export function createSpoolHash(
  pool: HashPool,
  source: SpoolHashSource,
  inPlaceMaxBytes: number,
): SpoolHash {
  let job: HashJob | undefined;
  const giveUp = (): void => {
    job?.[Symbol.dispose]();
    job = undefined;
  };
  return {
    progress: (prefix) => {
      if (prefix <= inPlaceMaxBytes) return;
      job ??= pool.start(source.path, source.algorithm);
      job.advance(prefix);
    },
    feed: (block, length, position) => {
      job ??= pool.start(source.path, source.algorithm);
      job.feed(block, length, position);
    },
    finish: async (size) => {
      if (job === undefined && size <= inPlaceMaxBytes) return hashInPlace(source, size);
      const mine = (job ??= pool.start(source.path, source.algorithm));
      try {
        return await mine.finish(size);
      } finally {
        if (job === mine) giveUp();
      }
    },
    restart: giveUp,
    [Symbol.dispose]: giveUp,
  };
}

async function hashInPlace(source: SpoolHashSource, size: number): Promise<string> {
  const hash = createHash(source.algorithm);
  const block = new Uint8Array(Math.min(blockBytes, size));
  for (let position = 0; position < size;) {
    const count = await source.read(block.subarray(0, size - position), position);
    hash.update(block.subarray(0, count));
    position += count;
  }
  return hash.digest('hex');
}
