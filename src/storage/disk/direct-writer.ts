import type { Events } from '../../ports/events.ts';
import { byteLengthOf, bytesBetween } from '../../domain/byte-chunks.ts';
import { errorCode } from './file-system.ts';
import type { FileSystem } from './file-system.ts';
import { OpenFile } from './open-file.ts';
import { alignmentBytes } from './write-blocks.ts';
import type { WriteBlock, WriteBlocks } from './write-blocks.ts';

/** Direct writes of one storage: tried until the file system shows that it has none. */
export interface DirectWrites {
  readonly blocks: WriteBlocks;
  /** False from the first refusal on. */
  possible: boolean;
}

/** What a file system or platform without them answers: on opening, or only on the first write. */
const refusals: ReadonlySet<string | undefined> = new Set(['EINVAL', 'EOPNOTSUPP', 'ENOTSUP']);

/** Fewer bytes are sooner copied than written by themselves. */
const directBytesMin = 256 * 1024;

export interface DirectWriteSink {
  /** The same file as it is written otherwise: for a block that the file system will not take. */
  readonly cached: OpenFile;
  /** Called once the chunks are not needed any more, where all of them are written here. */
  readonly taken: () => void;
  /** A block of so many bytes goes to its place in the file: whoever wants it beyond its write calls its `keep`. */
  readonly onBlock: (block: WriteBlock, length: number, position: number) => void;
}

/**
 * Writes blocks of a file past the page cache: copying a body there costs more than receiving and hashing it, and pushes
 * out of the cache what is being pulled.
 */
export class DirectWriter implements AsyncDisposable {
  readonly #writes: DirectWrites;
  readonly #files: FileSystem;
  readonly #events: Events;
  readonly #path: string;
  #file: OpenFile | undefined;

  constructor(writes: DirectWrites, files: FileSystem, events: Events, path: string) {
    this.#writes = writes;
    this.#files = files;
    this.#events = events;
    this.#path = path;
  }

  /**
   * Writes of the chunks what it can, block by block, and resolves with how many bytes: 0 where it can't at all, and without the end
   * that fills no page.
   */
  async write(
    chunks: readonly Uint8Array[],
    position: number,
    sink: DirectWriteSink,
  ): Promise<number> {
    const { blocks } = this.#writes;
    const total = byteLengthOf(chunks);
    const bytesMin = Math.min(directBytesMin, blocks.blockBytes);
    let written = 0;
    if (position % alignmentBytes !== 0) return written;
    for (;;) {
      const rest = Math.min(total - written, blocks.blockBytes);
      const length = rest - (rest % alignmentBytes);
      const file = length < bytesMin ? undefined : await this.#open();
      if (file === undefined) return written;
      const block = await blocks.take();
      try {
        const bytes = fill(block, bytesBetween(chunks, written, written + length));
        if (written + length === total) sink.taken();
        sink.onBlock(block, length, position + written);
        await this.#writeOut(file, bytes, position + written, sink.cached);
      } finally {
        block.release();
      }
      written += length;
    }
  }

  async #writeOut(
    file: OpenFile,
    bytes: Uint8Array,
    position: number,
    cached: OpenFile,
  ): Promise<void> {
    try {
      await file.write([bytes], position);
    } catch (error) {
      this.#mustBeRefusal(error);
      await cached.write([bytes], position);
    }
  }

  #mustBeRefusal(error: unknown): void {
    if (!refusals.has(errorCode(error))) throw error;
    this.#writes.possible = false;
  }

  async #open(): Promise<OpenFile | undefined> {
    if (!this.#writes.possible) return undefined;
    try {
      this.#file ??= await OpenFile.open(this.#files, this.#events, this.#path, 'direct');
    } catch (error) {
      this.#mustBeRefusal(error);
    }
    return this.#file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.[Symbol.asyncDispose]();
  }
}

function fill(block: WriteBlock, chunks: readonly Uint8Array[]): Uint8Array {
  let at = 0;
  for (const chunk of chunks) {
    block.bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return block.bytes.subarray(0, at);
}
