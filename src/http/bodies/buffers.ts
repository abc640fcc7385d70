const pageBytes = 16 * 1024;
const slabBytes = 1024 * 1024;
/** Pages whose bits share one number; two of them are a slab. */
const pagesPerWord = 32;
const pagesPerSlab = slabBytes / pageBytes;
const wordFull = 0xffff_ffff;

/** The smallest and the largest buffer that a body gets, in bytes. */
export const bufferBytesMin: number = pageBytes;
export const bufferBytesMax: number = slabBytes;

/** A piece of the budget: goes back by `ReadBuffers.release`, once, when neither a read nor a write uses it. */
export interface ReadBuffer {
  readonly bytes: Uint8Array;
  readonly firstPage: number;
  readonly pages: number;
}

/**
 * The memory that all bodies read into: slabs of 1 MiB, made when first needed and kept, cut into power-of-two runs of
 * 16 KiB pages. What is in use never passes the budget, and nothing of it waits for the garbage collector.
 */
export interface ReadBuffers {
  /** At most `bytes`, a power of two of 16 KiB; smaller where that is free; `undefined` where nothing is. */
  take(bytes: number): ReadBuffer | undefined;
  release(buffer: ReadBuffer): void;
  readonly budgetBytes: number;
  readonly usedBytes: number;
}

/** `budgetBytes` is rounded down to whole MiB; at least one. */
export function createReadBuffers(budgetBytes: number): ReadBuffers {
  const slabsMax = Math.max(1, Math.floor(budgetBytes / slabBytes));
  const slabs: ArrayBuffer[] = [];
  /** One bit a page, set while in use. */
  const taken = new Uint32Array((slabsMax * pagesPerSlab) / pagesPerWord);
  let usedPages = 0;

  /** Sets or clears the bits of a run that begins at a multiple of its length. */
  const mark = (firstPage: number, pages: number, inUse: boolean): void => {
    for (let page = firstPage; page < firstPage + pages; page += pagesPerWord) {
      const at = Math.floor(page / pagesPerWord);
      const mask = maskOf(pages) << (page % pagesPerWord);
      taken[at] = inUse ? (taken[at] ?? 0) | mask : (taken[at] ?? 0) & ~mask;
    }
    usedPages += inUse ? pages : -pages;
  };

  /** The first page of a free run, or -1. */
  const findRun = (pages: number): number => {
    const words = Math.ceil(pages / pagesPerWord);
    const mask = maskOf(pages);
    for (let word = 0; word < taken.length; word += words) {
      const bits = taken[word] ?? 0;
      if (bits === wordFull) continue;
      if (words > 1) {
        if (bits === 0 && taken[word + 1] === 0) return word * pagesPerWord;
        continue;
      }
      for (let page = 0; page < pagesPerWord; page += pages)
        if (((bits >>> page) & mask) === 0) return word * pagesPerWord + page;
    }
    return -1;
  };

  return {
    budgetBytes: slabsMax * slabBytes,
    get usedBytes(): number {
      return usedPages * pageBytes;
    },
    take: (bytes) => {
      for (let pages = pagesWithin(bytes); pages >= 1; pages >>= 1) {
        const firstPage = findRun(pages);
        if (firstPage < 0) continue;
        mark(firstPage, pages, true);
        const slab = Math.floor(firstPage / pagesPerSlab);
        const memory = (slabs[slab] ??= new ArrayBuffer(slabBytes));
        const start = (firstPage % pagesPerSlab) * pageBytes;
        return { bytes: new Uint8Array(memory, start, pages * pageBytes), firstPage, pages };
      }
      return undefined;
    },
    release: ({ firstPage, pages }) => mark(firstPage, pages, false),
  };
}

function maskOf(pages: number): number {
  return pages >= pagesPerWord ? wordFull : (1 << pages) - 1;
}

/** The largest power of two of pages that fits into `bytes`, within one page and a slab. */
function pagesWithin(bytes: number): number {
  let pages = pagesPerSlab;
  while (pages > 1 && pages * pageBytes > bytes) pages >>= 1;
  return pages;
}
