import type { Arrival, ByteReader, ByteSource, ByteSpan } from '../../domain/byte-source.ts';
import type { Download } from './download.ts';
import { createOverflowReader } from './pass-through.ts';

/** A whole body keeps back this many bytes until the hash was found right. */
const heldBackBytes = 64 * 1024;

/** A download as bytes to send: each opening is a reader of its own at its own speed. */
export function downloadSource(download: Download): ByteSource {
  return {
    get size() {
      return download.size;
    },
    open: (span, signal) => Promise.resolve(new DownloadReader(download, span, signal)),
  };
}

class DownloadReader implements ByteReader {
  readonly arrival: Arrival = {
    isHere: () => this.#isHere(),
    wait: () => this.#waitUntilHere(),
  };
  readonly #download: Download;
  readonly #span: ByteSpan | undefined;
  readonly #signal: AbortSignal;
  readonly #start: number;
  /** Of the file, when the first byte was read. */
  #generation: number;
  readonly #attached: Disposable;
  #position: number;
  #open = true;
  /** The reader that goes on where the download can't: of the stored blob, or of upstream itself when the disk filled up. */
  #successor: ByteReader | undefined;

  constructor(download: Download, span: ByteSpan | undefined, signal: AbortSignal) {
    this.#download = download;
    this.#span = span;
    this.#signal = signal;
    this.#start = span?.start ?? 0;
    this.#position = this.#start;
    this.#generation = download.file.generation;
    this.#attached = download.attach();
  }

  async read(into: Uint8Array): Promise<number> {
    const download = this.#download;
    for (;;) {
      await this.#waitUntilHere();
      if (this.#successor !== undefined) return this.#successor.read(into);
      const { changes } = download.file;
      this.#signal.throwIfAborted();
      if (download.state === 'failed') throw download.error;
      if (this.#isBroken()) throw new Error('the bytes sent so far were found wrong');
      if (this.#isAtEnd()) return 0;
      const bytes = Math.min(into.length, this.#readable());
      const got = await download.file.read(into.subarray(0, bytes), this.#position);
      this.#position += got;
      if (got > 0) return got;
      await this.#waitForChange(changes);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#attached[Symbol.dispose]();
    await this.#successor?.[Symbol.asyncDispose]();
  }

  #isHere(): boolean {
    if (this.#successor !== undefined) return this.#successor.arrival?.isHere() ?? true;
    return this.#isBroken() || this.#isAtEnd() || this.#readable() > 0;
  }

  async #waitUntilHere(): Promise<void> {
    for (;;) {
      const { changes } = this.#download.file;
      if (this.#isHere()) return;
      this.#successor ??= await this.#succeed();
      if (this.#successor !== undefined) await this.#successor.arrival?.wait();
      else await this.#waitForChange(changes);
    }
  }

  /** What changed since `changes` was read wakes nobody any more. */
  async #waitForChange(changes: number): Promise<void> {
    const { file } = this.#download;
    if (file.changes === changes) await file.waitAt(this.#position, this.#signal);
  }

  async #succeed(): Promise<ByteReader | undefined> {
    const { parts, request, state } = this.#download;
    const position = this.#position;
    const last = this.#end;
    if (state === 'stored' && last !== undefined && position < last) {
      const span = { start: position, end: last - 1 };
      const reader = await parts.blobs.open(request.digest, span);
      if (reader === undefined) throw new Error('the blob was removed while it went out');
      return reader;
    }
    if (state !== 'overflow') return undefined;
    const rest = { position, end: this.#span?.end, whole: this.#isWhole };
    return createOverflowReader(this.#download, rest, this.#signal);
  }

  /** One past the last byte; `undefined` while that is not known. */
  get #end(): number | undefined {
    return this.#span === undefined ? this.#download.size : this.#span.end + 1;
  }

  get #isWhole(): boolean {
    const { size } = this.#download;
    if (this.#span === undefined) return true;
    return this.#start === 0 && size !== undefined && this.#span.end + 1 >= size;
  }

  get #isVerified(): boolean {
    const { state } = this.#download;
    return state === 'verified' || state === 'stored' || state === 'kept';
  }

  #isBroken(): boolean {
    const { file, state } = this.#download;
    if (this.#signal.aborted || state === 'failed') return true;
    // Who has sent nothing yet has sent nothing wrong.
    if (this.#position === this.#start) this.#generation = file.generation;
    return this.#generation !== file.generation;
  }

  #isAtEnd(): boolean {
    const last = this.#end;
    if (last === undefined || this.#position < last) return false;
    return !this.#isWhole || this.#isVerified;
  }

  /** Bytes of the download's own file that may go out now. */
  #readable(): number {
    const { file, state } = this.#download;
    if (state === 'stored' || state === 'overflow') return 0;
    const available = file.availableFrom(this.#position);
    const last = this.#end ?? this.#position + available;
    const limit =
      this.#isWhole && !this.#isVerified ? Math.max(this.#start, last - heldBackBytes) : last;
    return Math.min(limit - this.#position, available);
  }
}
