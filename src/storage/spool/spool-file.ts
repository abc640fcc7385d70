import type { ByteSpan } from '../../domain/byte-source.ts';
import {
  addSpan,
  bytesIn,
  clipSpans,
  contiguousUntil,
  missingIn,
  overlap,
  spanLength,
} from '../../domain/byte-spans.ts';
import { algorithmOf, hexOf } from '../../domain/names/digest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import type { SpoolFile } from '../../ports/spool.ts';
import type { VerifiedFile } from '../../ports/verified-file.ts';
import { byteLengthOf, bytesBetween } from '../../domain/byte-chunks.ts';
import type { FileSystem } from '../disk/file-system.ts';
import type { Folders } from '../disk/folders.ts';
import type { HashPool } from '../hash/hash-pool.ts';
import { readJournal, writeJournal } from './journal.ts';
import { OpenFile } from '../disk/open-file.ts';
import { removeFile } from '../disk/small-file.ts';
import { createSpoolHash } from '../hash/spool-hash.ts';
import type { SpoolHash } from '../hash/spool-hash.ts';
import { createInOrder } from '../../coordination/in-order.ts';
import { markVerified } from '../blobs/blobs.ts';
import type { Takeover } from '../blobs/blobs.ts';

/** What all spool files of one storage share. */
export interface SpoolContext {
  readonly files: FileSystem;
  readonly folders: Folders;
  readonly clock: Clock;
  readonly events: Events;
  readonly pool: HashPool;
  /** A journal is due after so many bytes or so long after the first of them. */
  readonly journalEveryBytes: number;
  readonly journalEveryMs: number;
  readonly hashInPlaceMaxBytes: number;
}

export interface SpoolKey {
  readonly owner: string;
  readonly digest: Digest;
  readonly folder: string;
  /** Path of the data; the journal lies beside it. */
  readonly part: string;
  readonly journal: string;
}

interface WriteUnderWay {
  readonly span: ByteSpan;
  readonly settled: Promise<void>;
}

type State = 'open' | 'resetting' | 'sealed' | 'adopted' | 'discarded' | 'closed';

/** A partial on the disk. Bytes that have arrived are never written again: they may be hashed, journalled or served already. */
export class SpoolFileOnDisk implements SpoolFile {
  readonly digest: Digest;
  readonly arrived: ByteSpan[];
  readonly #context: SpoolContext;
  readonly #key: SpoolKey;
  readonly #file: OpenFile;
  readonly #hash: SpoolHash;
  readonly #release: () => void;
  /** Journal, reset, seal, adoption and removal come one after the other. */
  readonly #inOrder = createInOrder();
  readonly #writes = new Set<WriteUnderWay>();
  #size: number | undefined;
  #state: State = 'open';
  /** A journal may be on the disk: it must be gone, for good, before bytes that it claims are. */
  #journalled: boolean;
  #dirty = false;
  #unjournalledBytes = 0;
  #journalDue: Disposable | undefined;
  #journalRunning = false;
  /** After a failed sync the system may call lost bytes clean, so no later sync proves anything. */
  #syncFailure: unknown;
  #verified = false;
  /** Counts resets, so that a hash of forgotten bytes proves nothing. */
  #generation = 0;
  #closing: Promise<void> | undefined;

  private constructor(
    context: SpoolContext,
    key: SpoolKey,
    release: () => void,
    file: OpenFile,
    found: { size: number | undefined; spans: ByteSpan[]; journalled: boolean },
  ) {
    this.digest = key.digest;
    this.arrived = found.spans;
    this.#size = found.size;
    this.#journalled = found.journalled;
    this.#context = context;
    this.#key = key;
    this.#release = release;
    this.#file = file;
    const source = {
      path: key.part,
      algorithm: algorithmOf(key.digest),
      read: (into: Uint8Array, position: number): Promise<number> => this.read(into, position),
    };
    this.#hash = createSpoolHash(context.pool, source, context.hashInPlaceMaxBytes);
  }

  /** Takes up what the journal proves and the file holds; anything doubtful is an empty start. `release` is called when closed. */
  static async open(
    context: SpoolContext,
    key: SpoolKey,
    release: () => void,
  ): Promise<SpoolFileOnDisk> {
    const { files, folders, events } = context;
    await folders.ensure(key.folder);
    const there = (await files.stat(key.journal)) !== undefined;
    const read = there ? await readJournal(files, events, key.journal) : undefined;
    const believed = read?.digest === key.digest && read.owner === key.owner ? read : undefined;
    const file = await OpenFile.open(files, events, key.part, 'update');
    try {
      const { size: length } = await file.size();
      const spans = clipSpans(believed?.spans ?? [], length);
      const whole = believed !== undefined && bytesIn(spans) === bytesIn(believed.spans);
      if (there && !whole) {
        await removeFile(files, key.journal);
        await folders.sync(key.folder);
      }
      if (spans.length === 0 && length > 0) await file.truncate(0);
      const found = { size: believed?.size, spans, journalled: there && whole };
      return new SpoolFileOnDisk(context, key, release, file, found);
    } catch (error) {
      await file[Symbol.asyncDispose]();
      throw error;
    }
  }

  get size(): number | undefined {
    return this.#size;
  }

  async expect(size: number | undefined): Promise<void> {
    this.#mustBe('open');
    if (this.#size === size) return;
    const last = this.arrived.at(-1)?.end ?? -1;
    if (this.#size !== undefined || (size !== undefined && last >= size)) await this.reset();
    this.#size = size;
    this.#dirty = this.arrived.length > 0;
  }

  async write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    this.#mustBe('open');
    const length = byteLengthOf(chunks);
    if (length === 0) return;
    const wanted = { start: position, end: position + length - 1 };
    if (this.#size !== undefined && wanted.end >= this.#size) {
      throw new RangeError(`Bytes up to ${wanted.end} of a blob of ${this.#size} bytes`);
    }
    for (let rival = this.#rivalOf(wanted); rival !== undefined; rival = this.#rivalOf(wanted)) {
      await rival.settled;
    }
    this.#mustBe('open');
    const missing = missingIn(this.arrived, wanted);
    if (missing.length === 0) return;
    const done = Promise.withResolvers<void>();
    const mine = { span: wanted, settled: done.promise };
    this.#writes.add(mine);
    try {
      for (const gap of missing) {
        const buffers = bytesBetween(chunks, gap.start - position, gap.end + 1 - position);
        await this.#file.write(buffers, gap.start);
        this.#enter(gap);
      }
    } finally {
      this.#writes.delete(mine);
      done.resolve();
    }
  }

  #rivalOf(span: ByteSpan): WriteUnderWay | undefined {
    for (const write of this.#writes) if (overlap(write.span, span)) return write;
    return undefined;
  }

  #enter(span: ByteSpan): void {
    const { clock, journalEveryBytes, journalEveryMs } = this.#context;
    addSpan(this.arrived, span);
    this.#dirty = true;
    this.#unjournalledBytes += spanLength(span);
    if (this.#closing !== undefined) return;
    this.#hash.progress(contiguousUntil(this.arrived, 0));
    if (this.#unjournalledBytes >= journalEveryBytes && !this.#journalRunning) {
      this.#journalInBackground();
      return;
    }
    this.#journalDue ??= clock.after(journalEveryMs, () => {
      this.#journalDue = undefined;
      this.#journalInBackground();
    });
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    const length = Math.min(into.byteLength, contiguousUntil(this.arrived, position) - position);
    if (length === 0) return 0;
    const target = length === into.byteLength ? into : into.subarray(0, length);
    const count = await this.#file.read(target, position);
    if (count === 0)
      throw new Error(`The spool file of ${this.digest} was cut short at ${position}`);
    return count;
  }

  async verify(): Promise<boolean> {
    this.#mustBe('open');
    const size = this.#size;
    if (size === undefined || contiguousUntil(this.arrived, 0) < size) {
      throw new Error(`Not all of ${this.digest} has arrived`);
    }
    const generation = this.#generation;
    const hex = await this.#hash.finish(size);
    if (generation !== this.#generation) throw new Error(`${this.digest} was reset`);
    this.#verified = hex === hexOf(this.digest);
    return this.#verified;
  }

  seal(expected: Digest): Promise<VerifiedFile> {
    return this.#inOrder(async () => {
      this.#mustBe('open');
      if (!this.#verified || expected !== this.digest)
        throw new Error(`${expected} is not verified`);
      await this.#sync();
      this.#mustBe('open');
      this.#state = 'sealed';
      this.#stopJournal();
      const takeover: Takeover = {
        moveTo: (path) => this.#inOrder(() => this.#moveTo(path)),
        settle: () => this.#settle(),
      };
      return markVerified(this.digest, this.#size!, takeover);
    });
  }

  async #moveTo(path: string): Promise<void> {
    if (this.#state === 'adopted') return;
    this.#mustBe('sealed');
    await this.#context.files.rename(this.#key.part, path);
    this.#state = 'adopted';
  }

  /** The blob is safe in its place; what the spool still has of it is litter and not worth a failure. */
  async #settle(): Promise<void> {
    try {
      if (this.#state === 'adopted') await this.#inOrder(() => this.#forgetJournal());
      else await this.discard();
    } catch (error) {
      this.#failed('discard', error);
    }
  }

  journal(): Promise<void> {
    return this.#inOrder(() => this.#saveJournal());
  }

  #journalInBackground(): void {
    if (this.#journalRunning) return;
    this.#journalRunning = true;
    this.journal()
      .catch((error: unknown) => this.#failed('journal', error))
      .finally(() => {
        this.#journalRunning = false;
      });
  }

  async #saveJournal(): Promise<void> {
    if ((this.#state !== 'open' && this.#state !== 'sealed') || !this.#dirty) return;
    const { files, folders, events, clock } = this.#context;
    const { owner, digest, folder, journal: path } = this.#key;
    this.#stopJournal();
    this.#dirty = false;
    const spans = [...this.arrived];
    const size = this.#size;
    try {
      await this.#sync();
      this.#journalled = true;
      await writeJournal(files, events, path, {
        digest,
        owner,
        size,
        spans,
        updatedAt: clock.now(),
      });
      await folders.sync(folder);
    } catch (error) {
      this.#dirty = true;
      throw error;
    }
  }

  #stopJournal(): void {
    this.#unjournalledBytes = 0;
    this.#journalDue?.[Symbol.dispose]();
    this.#journalDue = undefined;
  }

  async #sync(): Promise<void> {
    if (this.#syncFailure !== undefined) {
      const cause = this.#syncFailure;
      throw new Error(`An earlier sync of ${this.digest} failed`, { cause });
    }
    try {
      await this.#file.sync();
    } catch (error) {
      this.#syncFailure = error;
      throw error;
    }
  }

  async reset(): Promise<void> {
    this.#mustBe('open');
    this.#state = 'resetting';
    this.#generation += 1;
    this.#verified = false;
    this.#hash.restart();
    try {
      await Promise.all([...this.#writes].map((write) => write.settled));
      this.arrived.length = 0;
      this.#stopJournal();
      await this.#inOrder(async () => {
        await this.#forgetJournal();
        await this.#file.truncate(0);
      });
      this.#dirty = false;
      this.#syncFailure = undefined;
    } finally {
      this.#hash.restart();
      if (this.#state === 'resetting') this.#state = 'open';
    }
  }

  async #forgetJournal(): Promise<void> {
    if (!this.#journalled) return;
    const { files, folders } = this.#context;
    await removeFile(files, this.#key.journal);
    // Until this is done, a crash may bring the journal back.
    await folders.sync(this.#key.folder);
    this.#journalled = false;
  }

  discard(): Promise<void> {
    return this.#inOrder(async () => {
      if (this.#state === 'adopted' || this.#state === 'discarded') return;
      this.#mustBe('open', 'sealed');
      this.#state = 'discarded';
      this.#stopJournal();
      await this.#forgetJournal();
      await removeFile(this.#context.files, this.#key.part);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stopJournal();
    this.#hash[Symbol.dispose]();
    await Promise.all([...this.#writes].map((write) => write.settled));
    await this.#inOrder(async () => {
      this.#stopJournal();
      const worthless = !this.#journalled && (this.#state === 'open' || this.#state === 'sealed');
      this.#state = 'closed';
      await this.#file[Symbol.asyncDispose]();
      if (!worthless) return;
      await removeFile(this.#context.files, this.#key.part).catch((error: unknown) =>
        this.#failed('discard', error),
      );
    });
    this.#release();
  }

  #failed(operation: string, error: unknown): void {
    this.#context.events.emit({ type: 'storageFailed', operation, message: String(error) });
  }

  #mustBe(...states: readonly State[]): void {
    if (this.#closing !== undefined || !states.includes(this.#state)) {
      throw new Error(
        `The spool file of ${this.digest} is ${this.#closing === undefined ? this.#state : 'closed'}`,
      );
    }
  }
}
