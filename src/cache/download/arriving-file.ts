import { bytesIn, contiguousUntil } from '../../domain/byte-spans.ts';
import type { ByteSpan } from '../../domain/byte-source.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { possibleSize } from '../../domain/names/digest.ts';
import type { UpstreamFailure } from '../../domain/upstream-failure.ts';
import { unusable } from '../../domain/upstream-failure.ts';
import type { Spool, SpoolFile } from '../../ports/spool.ts';
import type { BlobBody } from '../../ports/upstream.ts';
import type { SpaceGate } from '../space/space-gate.ts';

const pendingBytesMax = 1024 * 1024;

export interface ArrivingFileParts {
  readonly space: SpaceGate;
  readonly maxBlobBytes: number;
}

/** Thrown to those who wait where the disk can't take the blob: they read from upstream themselves. */
export class NoSpace extends Error {
  override readonly name = 'NoSpace';

  constructor() {
    super('the volume has no room for it');
  }
}

/**
 * A blob's file while its bytes arrive, in any order: what of it is there, how large it will be, and who waits for more. Any
 * number may read it meanwhile. Open from `open` to `close`.
 */
export class ArrivingFile {
  readonly #digest: Digest;
  readonly #parts: ArrivingFileParts;
  readonly #onAnnounced: () => void;
  readonly #wakeups = new Set<() => void>();
  readonly #waiting = new Set<{ readonly position: number }>();
  #spooled: SpoolFile | undefined;
  #size: number | undefined;
  /** The size is known from an earlier attempt's journal alone, and what was asked then may have been another repository. */
  #sizeIsJournals = false;
  #announced = false;
  /** The blob's first bytes while they are on their way to the disk, so that the first of them goes out without a detour. */
  #head: Uint8Array = new Uint8Array(0);
  #activeReads = 0;
  #changes = 0;
  #generation = 0;

  /** `onAnnounced`: upstream has answered, and the size is known or bytes flow without one. */
  constructor(digest: Digest, parts: ArrivingFileParts, onAnnounced: () => void) {
    this.#digest = digest;
    this.#parts = parts;
    this.#onAnnounced = onAnnounced;
  }

  /** Takes up what an earlier attempt left. `expected`: a size that upstream's word must agree with. Throws as `announce` does. */
  async open(spool: Spool, owner: string, expected: number | undefined): Promise<void> {
    this.#spooled = await spool.open(owner, this.#digest);
    const size = possibleSize(this.#digest, expected ?? this.#spooled.size);
    if (size === undefined) return;
    await this.#setSize(size, '');
    this.#sizeIsJournals = expected === undefined;
  }

  get isOpen(): boolean {
    return this.#spooled !== undefined;
  }

  get spooled(): SpoolFile {
    if (this.#spooled === undefined) throw new Error('the file is not open yet');
    return this.#spooled;
  }

  get size(): number | undefined {
    return this.#size;
  }

  get arrived(): readonly ByteSpan[] {
    return this.#spooled?.arrived ?? [];
  }

  get arrivedBytes(): number {
    return bytesIn(this.arrived);
  }

  get isComplete(): boolean {
    return this.#size !== undefined && this.arrivedBytes === this.#size;
  }

  /** Counts up when all bytes were thrown away after a wrong digest: a reader that had some of them must fail. */
  get generation(): number {
    return this.#generation;
  }

  /** Counts up with each change that `changed` resolves at. */
  get changes(): number {
    return this.#changes;
  }

  /** Where readers wait, for steering the next piece. */
  get waitingPositions(): readonly number[] {
    return [...this.#waiting].map((entry) => entry.position);
  }

  /** Bytes in a row from `position` that can be read now. */
  availableFrom(position: number): number {
    const stored = contiguousUntil(this.arrived, position) - position;
    return Math.max(stored, this.#head.length - position);
  }

  /** Reads bytes that have arrived; the file stays open meanwhile. */
  async read(into: Uint8Array, position: number): Promise<number> {
    if (position < this.#head.length) {
      const bytes = this.#head.subarray(position, position + into.length);
      into.set(bytes);
      return bytes.length;
    }
    this.#activeReads += 1;
    try {
      return await this.spooled.read(into, position);
    } finally {
      this.#activeReads -= 1;
      if (this.#activeReads === 0) this.wake();
    }
  }

  /** Resolves at the next change of bytes, or of whatever else `wake` is called for. */
  changed(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#wakeups.delete(done);
        signal?.removeEventListener('abort', done);
        if (signal?.aborted === true) reject(signal.reason as Error);
        else resolve();
      };
      if (signal?.aborted === true) return done();
      this.#wakeups.add(done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }

  /** The same for a reader that lacks the byte at `position`. */
  async waitAt(position: number, signal: AbortSignal): Promise<void> {
    const entry = { position };
    this.#waiting.add(entry);
    try {
      await this.changed(signal);
    } finally {
      this.#waiting.delete(entry);
    }
  }

  wake(): void {
    this.#changes += 1;
    for (const wake of this.#wakeups) wake();
  }

  /**
   * Upstream's word on the size. Throws `NoSpace` where it can't fit, and an `UpstreamFailure` where it can't be. A whole body without a size is
   * tied to nothing that came before: the file begins anew, and shows no reader the former bytes.
   */
  async announce(
    { total, partial }: Pick<BlobBody, 'total' | 'partial'>,
    host: string,
  ): Promise<void> {
    if (total !== undefined) await this.#setSize(total, host);
    else if (!this.#announced && !partial && (this.#size === undefined || this.#sizeIsJournals))
      await this.#forgetSize();
    this.#announced = true;
    this.#onAnnounced();
  }

  async #setSize(total: number, host: string): Promise<void> {
    const { maxBlobBytes, space } = this.#parts;
    const known = this.#sizeIsJournals ? undefined : this.#size;
    if (known !== undefined && known !== total)
      throw unusable(`upstream says ${total} bytes, expected are ${known}`, 'wrongLength', host);
    if (possibleSize(this.#digest, total) !== total)
      throw unusable(
        `upstream says ${total} bytes, which the digest rules out`,
        'wrongLength',
        host,
      );
    this.#sizeIsJournals = false;
    if (this.#size === total) return;
    if (total > maxBlobBytes) throw this.#tooLarge(host);
    if (!(await space.fits(Math.max(0, total - this.arrivedBytes)))) throw new NoSpace();
    await this.spooled.expect(total);
    this.#size = total;
    this.wake();
  }

  async #forgetSize(): Promise<void> {
    await this.spooled.reset();
    await this.spooled.expect(undefined);
    this.#size = undefined;
    this.#sizeIsJournals = false;
  }

  #tooLarge(host: string): UpstreamFailure {
    const message = `the blob is larger than maxBlobBytes (${this.#parts.maxBlobBytes})`;
    return unusable(message, 'tooLarge', host);
  }

  /** Writes what a connection brought; readers wake when it can be read. Throws `NoSpace` where the volume can't take it. */
  async write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    if (position === 0 && this.#head.length === 0) this.#showHead(chunks[0]);
    let bytes = 0;
    for (const chunk of chunks) bytes += chunk.length;
    using room = await this.#parts.space.reserve(bytes);
    if (room === undefined) throw new NoSpace();
    await this.spooled.write(position, chunks);
    room.written();
    if (this.#size === undefined && position + bytes > this.#parts.maxBlobBytes)
      throw this.#tooLarge('');
    this.wake();
  }

  #showHead(chunk: Uint8Array | undefined): void {
    if (chunk === undefined) return;
    this.#head = chunk;
    this.wake();
  }

  /** Throws away what has arrived, and a size that nothing but it vouches for. */
  async startOver(): Promise<void> {
    this.#generation += 1;
    this.#head = new Uint8Array(0);
    if (this.#sizeIsJournals) await this.#forgetSize();
    else await this.spooled.reset();
    this.wake();
  }

  /** Waits for reads under way. With `keep` what has arrived is journalled for the next attempt. */
  async close(keep: boolean): Promise<void> {
    if (this.#spooled === undefined) return;
    while (this.#activeReads > 0) await this.changed();
    if (keep && this.arrivedBytes > 0) await this.#spooled.journal();
    await this.#spooled[Symbol.asyncDispose]();
  }
}

/** Writes chunks in a row into the file: the first at once, later ones gathered while a write is under way. */
export class GatheringWriter {
  readonly #file: ArrivingFile;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #next: number;
  #written: number;
  #writing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(file: ArrivingFile, start: number) {
    this.#file = file;
    this.#next = start;
    this.#written = start;
  }

  /** Where the next pushed byte belongs. */
  get nextPosition(): number {
    return this.#next;
  }

  /** `undefined` while little is pending, else resolves when there is room. */
  push(chunk: Uint8Array): Promise<void> | undefined {
    this.#next += chunk.length;
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    this.#writing ??= this.#drain();
    const mustWait = this.#pendingBytes >= pendingBytesMax || this.#failure !== undefined;
    return mustWait ? this.flush() : undefined;
  }

  /** Resolves when all that was pushed is in the file; throws what a write failed with. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #drain(): Promise<void> {
    try {
      while (this.#pending.length > 0 && this.#failure === undefined) {
        const chunks = this.#pending;
        const bytes = this.#pendingBytes;
        this.#pending = [];
        this.#pendingBytes = 0;
        await this.#file.write(this.#written, chunks);
        this.#written += bytes;
      }
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#writing = undefined;
    }
  }
}
