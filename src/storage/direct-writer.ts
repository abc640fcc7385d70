import type { Events } from '../ports/events.ts';
import { bytesBetween } from './buffers.ts';
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

/**
 * Writes whole blocks of a file past the page cache: copying a body there costs more than receiving and hashing it, and pushes
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
   * Writes as many whole blocks of the chunks as it can and resolves with their bytes: 0 where it can't at all. Each block goes to
   * `onBlock` beside its write, held for it once more if it holds it.
   */
  async write(
    chunks: readonly Uint8Array[],
    position: number,
    onBlock: (block: WriteBlock, position: number) => void,
  ): Promise<number> {
    const { blocks } = this.#writes;
    const length = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
    if (position % alignmentBytes !== 0 || length < blocks.blockBytes) return 0;
    let written = 0;
    while (this.#writes.possible && length - written >= blocks.blockBytes) {
      const block = await blocks.take();
      try {
        fill(block, bytesBetween(chunks, written, written + blocks.blockBytes));
        const file = await this.#open();
        onBlock(block, position + written);
        await file.write([block.bytes], position + written);
      } catch (error) {
        if (!refusals.has(errorCode(error))) throw error;
        this.#writes.possible = false;
        break;
      } finally {
        block.release();
      }
      written += blocks.blockBytes;
    }
    return written;
  }

  async #open(): Promise<OpenFile> {
    this.#file ??= await OpenFile.open(this.#files, this.#events, this.#path, 'direct');
    return this.#file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.[Symbol.asyncDispose]();
  }
}

function fill(block: WriteBlock, chunks: readonly Uint8Array[]): void {
  let at = 0;
  for (const chunk of chunks) {
    block.bytes.set(chunk, at);
    at += chunk.byteLength;
  }
}
