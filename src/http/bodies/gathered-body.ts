import { blockBytes } from './body-blocks.ts';
import type { BodyBlocks } from './body-blocks.ts';
import { joined } from './joined.ts';

/** Smaller chunks are not worth the call that frees them. */
const freedBytesMin = 8 * 1024;

/** What a body of so many bytes takes; of one whose length nobody knows, what is known to come. */
export function memoryOfBody(announced: number | undefined): number {
  if (announced === undefined || announced <= blockBytes) return announced ?? 0;
  return Math.ceil(announced / blockBytes) * blockBytes;
}

/**
 * A body that is whole in memory, as its chunks. A long one, or one whose length nobody knows, is in blocks, which are given back by disposing, also
 * twice: nobody may look at its chunks any more.
 */
export class GatheredBody implements Disposable {
  readonly #blocks: BodyBlocks;
  readonly #announced: number | undefined;
  readonly #taken: Uint8Array[] = [];
  #chunks: Uint8Array[] = [];
  /** What is being filled; the last chunk is the part that is. */
  #current: Uint8Array = new Uint8Array(0);
  #filled = 0;
  #length = 0;

  constructor(blocks: BodyBlocks, announced: number | undefined) {
    this.#blocks = blocks;
    this.#announced = announced;
  }

  /** 128 KiB at most each. */
  get chunks(): readonly Uint8Array[] {
    return this.#chunks;
  }

  get length(): number {
    return this.#length;
  }

  /** Takes the chunk over; how many bytes of memory it takes more. */
  add(chunk: Uint8Array): number {
    if (this.#length === 0 && chunk.length === this.#announced && isShort(chunk)) {
      this.#length = chunk.length;
      this.#chunks.push(chunk);
      return chunk.length;
    }
    let taken = 0;
    for (let rest = chunk; rest.length > 0;) {
      if (this.#filled === this.#current.length) taken += this.#begin();
      const part = rest.subarray(0, this.#current.length - this.#filled);
      this.#current.set(part, this.#filled);
      this.#filled += part.length;
      this.#chunks[this.#chunks.length - 1] = this.#current.subarray(0, this.#filled);
      rest = rest.subarray(part.length);
    }
    this.#length += chunk.length;
    if (chunk.length >= freedBytesMin && ownsMemory(chunk)) free(chunk);
    return taken;
  }

  /** As one array, which is the caller's. */
  async join(): Promise<Uint8Array> {
    const [only] = this.#chunks;
    if (only !== undefined && this.#chunks.length === 1 && this.#taken.length === 0) return only;
    return joined(this.#chunks, this.#length);
  }

  #begin(): number {
    if (this.#announced !== undefined && this.#announced <= blockBytes)
      this.#current = Buffer.allocUnsafeSlow(this.#announced);
    else this.#taken.push((this.#current = this.#blocks.take()));
    this.#chunks.push(this.#current);
    this.#filled = 0;
    return this.#current.length;
  }

  [Symbol.dispose](): void {
    this.#chunks = [];
    for (const block of this.#taken.splice(0)) this.#blocks.giveBack(block);
  }
}

function isShort(chunk: Uint8Array): boolean {
  return ownsMemory(chunk) && chunk.length <= blockBytes;
}

function ownsMemory({ buffer, byteLength }: Uint8Array): boolean {
  return byteLength === buffer.byteLength;
}

function free({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
