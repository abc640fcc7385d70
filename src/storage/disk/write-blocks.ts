/** Of direct writes: of each one's place in memory, place in the file, and length. No device at hand asks for more. */
export const alignmentBytes = 4096;

/** One piece of the shared memory, with a count of those who write or hash it. */
export interface WriteBlock {
  /** Where it begins in the memory. */
  readonly start: number;
  /** Page-aligned. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** One more user, who releases it too. */
  keep(): void;
  release(): void;
}

/** A fixed memory that the disk reads from past the page cache, and that hash workers see as well. */
export interface WriteBlocks {
  readonly memory: SharedArrayBuffer;
  readonly blockBytes: number;
  /** Resolves in the order of the calls, with one user counted. Who has a block must not wait for a second one: all could be taken by such. */
  take(): Promise<WriteBlock>;
}

/** `blockBytes` is a multiple of the alignment. Memory is taken from the system as blocks are first used. */
export function createWriteBlocks(blockBytes: number, blocks: number): WriteBlocks {
  const bytes = blockBytes * blocks;
  // Growable memory is mapped, and so begins at a page; other memory begins where the allocator likes.
  const memory = new SharedArrayBuffer(bytes, { maxByteLength: bytes });
  const starts = Array.from({ length: blocks }, (_, index) => index * blockBytes);
  // The one last used is the next: it is in the processor's cache, and a quiet server uses few.
  const free = starts.map((start) => new Uint8Array(memory, start, blockBytes)).reverse();
  const waiting: ((block: WriteBlock) => void)[] = [];

  const lend = (view: Uint8Array<SharedArrayBuffer>): WriteBlock => {
    let users = 1;
    return {
      start: view.byteOffset,
      bytes: view,
      keep: () => void (users += 1),
      release: () => {
        users -= 1;
        if (users < 0) throw new Error('A block was released more often than held');
        if (users > 0) return;
        const next = waiting.shift();
        if (next === undefined) free.push(view);
        else next(lend(view));
      },
    };
  };
  return {
    memory,
    blockBytes,
    take: () => {
      const view = free.pop();
      if (view !== undefined) return Promise.resolve(lend(view));
      return new Promise((resolve) => waiting.push(resolve));
    },
  };
}
