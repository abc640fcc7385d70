const pageBytes = 64 * 1024;
const pagesPerSlab = 16;

/** The smallest and the largest buffer that a body gets, in bytes. */
export const bufferBytesMin: number = pageBytes;
export const bufferBytesMax: number = pageBytes * pagesPerSlab;

/** A piece of the budget: goes back by `ReadBuffers.release`, once, when neither a read nor a write uses it. */
export interface ReadBuffer {
  readonly bytes: Uint8Array;
  readonly slab: number;
  readonly firstPage: number;
  readonly pages: number;
}

/**
 * The memory that all bodies read into: slabs of 1 MiB, made when first needed and kept, cut into power-of-two runs of
 * 64 KiB pages. What is in use never passes the budget, and nothing of it waits for the garbage collector.
 */
export interface ReadBuffers {
  /** At most `bytes`, a power of two of 64 KiB; smaller where that is free; `undefined` where nothing is. */
  take(bytes: number): ReadBuffer | undefined;
  release(buffer: ReadBuffer): void;
  /** Calls back once when something may be free again, in order of asking. */
  whenFree(callback: () => void): Disposable;
  /** True while someone waits: a second buffer is not for those who have one already. */
  readonly contended: boolean;
  readonly budgetBytes: number;
  readonly usedBytes: number;
}

/** `budgetBytes` is rounded down to whole MiB; at least one. */
export function createReadBuffers(budgetBytes: number): ReadBuffers {
  const slabsMax = Math.max(1, Math.floor(budgetBytes / bufferBytesMax));
  const slabs: ArrayBuffer[] = [];
  /** One bit a page, set while in use. */
  const taken = new Uint16Array(slabsMax);
  const waiting = new Set<() => void>();
  let usedPages = 0;

  const takePages = (pages: number): ReadBuffer | undefined => {
    const mask = (1 << pages) - 1;
    for (let slab = 0; slab < slabsMax; slab++) {
      const bits = taken[slab] ?? 0;
      if (bits === 0xffff) continue;
      for (let page = 0; page < pagesPerSlab; page += pages) {
        if (((bits >>> page) & mask) !== 0) continue;
        taken[slab] = bits | (mask << page);
        usedPages += pages;
        const memory = (slabs[slab] ??= new ArrayBuffer(bufferBytesMax));
        const bytes = new Uint8Array(memory, page * pageBytes, pages * pageBytes);
        return { bytes, slab, firstPage: page, pages };
      }
    }
    return undefined;
  };

  return {
    budgetBytes: slabsMax * bufferBytesMax,
    get contended(): boolean {
      return waiting.size > 0;
    },
    get usedBytes(): number {
      return usedPages * pageBytes;
    },
    take: (bytes) => {
      for (let pages = pagesWithin(bytes); pages >= 1; pages >>= 1) {
        const buffer = takePages(pages);
        if (buffer !== undefined) return buffer;
      }
      return undefined;
    },
    release: (buffer) => {
      const mask = ((1 << buffer.pages) - 1) << buffer.firstPage;
      taken[buffer.slab] = (taken[buffer.slab] ?? 0) & ~mask;
      usedPages -= buffer.pages;
      for (const callback of waiting) {
        if (usedPages >= slabsMax * pagesPerSlab) return;
        waiting.delete(callback);
        callback();
      }
    },
    whenFree: (callback) => {
      const entry = (): void => callback();
      waiting.add(entry);
      return { [Symbol.dispose]: () => void waiting.delete(entry) };
    },
  };
}

/** The largest power of two of pages that fits into `bytes`, within 1…16. */
function pagesWithin(bytes: number): number {
  let pages = pagesPerSlab;
  while (pages > 1 && pages * pageBytes > bytes) pages >>= 1;
  return pages;
}
