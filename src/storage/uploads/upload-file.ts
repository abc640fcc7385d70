import type { DigestAlgorithm } from '../../domain/names/digest.ts';
import type { Events } from '../../ports/events.ts';
import { DirectWriter } from '../disk/direct-writer.ts';
import type { DirectWriteSink, DirectWrites } from '../disk/direct-writer.ts';
import { errorCode } from '../disk/file-system.ts';
import type { FileSystem } from '../disk/file-system.ts';
import type { HashPool } from '../hash/hash-pool.ts';
import { byteLengthOf, bytesBetween } from '../../domain/byte-chunks.ts';
import { OpenFile } from '../disk/open-file.ts';
import { removeFile } from '../disk/small-file.ts';
import { createSpoolHash } from '../hash/spool-hash.ts';
import type { SpoolHash, SpoolHashSource } from '../hash/spool-hash.ts';

/** What all upload files of one storage share. */
export interface UploadFilesContext {
  readonly files: FileSystem;
  readonly events: Events;
  readonly pool: HashPool;
  readonly direct: DirectWrites;
  /** Bytes of the page cache that wait for the disk before they are sent there in the background. */
  readonly writebackEveryBytes: number;
  readonly hashInPlaceMaxBytes: number;
  readonly idleHashes: IdleHashes;
}

/** Hashes of uploads that nobody has at the moment, kept for the next request; the eldest starts over when they are too many. */
export interface IdleHashes {
  keep(hash: SpoolHash): void;
  /** Back in use, or given up. */
  leave(hash: SpoolHash): void;
}

export function createIdleHashes(hashesMax: number): IdleHashes {
  const idle = new Set<SpoolHash>();
  return {
    keep: (hash) => {
      idle.add(hash);
      const [eldest] = idle;
      if (idle.size <= hashesMax || eldest === undefined) return;
      idle.delete(eldest);
      eldest.restart();
    },
    leave: (hash) => void idle.delete(hash),
  };
}

/** The bytes of one upload, in a file that grows at its end. Between `open` and `close` one lease has it, which calls one thing after the other. */
export class UploadFile {
  readonly #context: UploadFilesContext;
  readonly #path: string;
  readonly #algorithm: DigestAlgorithm;
  readonly #hash: SpoolHash;
  readonly #direct: DirectWriter;
  #file: OpenFile | undefined;
  /** What counts; `undefined` until this process first had the file. */
  #size: number | undefined;
  /** A failed write or cut may have left bytes beyond the size. */
  #tail = false;
  /** So much of it is on the disk for certain. */
  #synced = 0;
  /** Bytes that no sync has taken up yet and that did not go to the disk directly. */
  #cached = 0;
  /** Something has changed since the last sync began. */
  #dirty = false;
  #syncing: Promise<void> | undefined;
  /** After a failed sync the system may call lost bytes clean: what came after `#synced` is given up when the lease ends. */
  #syncFailure: { readonly error: unknown } | undefined;
  #removed = false;

  constructor(context: UploadFilesContext, path: string, algorithm: DigestAlgorithm) {
    this.#context = context;
    this.#path = path;
    this.#algorithm = algorithm;
    this.#hash = this.#hashOf(algorithm);
    this.#direct = new DirectWriter(context.direct, context.files, context.events, path);
  }

  #hashOf(algorithm: DigestAlgorithm): SpoolHash {
    const { pool, hashInPlaceMaxBytes } = this.#context;
    const source: SpoolHashSource = {
      path: this.#path,
      algorithm,
      read: async (into, position) => {
        const count = await this.#opened().read(into, position);
        if (count === 0) throw new Error(`The upload ${this.#path} was cut short at ${position}`);
        return count;
      },
    };
    return createSpoolHash(pool, source, hashInPlaceMaxBytes);
  }

  #opened(): OpenFile {
    if (this.#file === undefined) throw new Error(`The upload ${this.#path} is not open`);
    return this.#file;
  }

  /** `undefined` where somebody took the file away. */
  async size(): Promise<number | undefined> {
    return this.#size ?? (await this.#context.files.stat(this.#path))?.size;
  }

  /** Wall time in ms of the last change; `undefined` where nothing is there. */
  async modifiedAt(): Promise<number | undefined> {
    return (await this.#context.files.stat(this.#path))?.modifiedAt;
  }

  /** The size; `undefined` where bytes that were there are gone. */
  async open(): Promise<number | undefined> {
    const { files, events, idleHashes } = this.#context;
    idleHashes.leave(this.#hash);
    try {
      this.#file = await OpenFile.open(files, events, this.#path, 'update');
    } catch (error) {
      // Not even the folder is there.
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
    try {
      const { size: length } = await this.#file.size();
      if (this.#size === undefined) await this.#takeUp(length);
      if (length < this.#size!) {
        await this.close();
        return undefined;
      }
      this.#tail ||= length > this.#size!;
      this.#hash.progress(this.#size!);
      return this.#size;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** What an earlier process wrote counts once it is synced, so that no later failure can put it in doubt. */
  async #takeUp(length: number): Promise<void> {
    this.#size = length;
    this.#dirty = length > 0;
    await this.sync();
  }

  /** The size after it. A failed call leaves the size as it was. `taken`: the chunks are not needed any more. */
  async append(chunks: readonly Uint8Array[], taken: () => void): Promise<number> {
    this.#mustBeSound();
    const at = this.#size!;
    const length = byteLengthOf(chunks);
    if (length === 0) return at;
    await this.#cutTail();
    this.#dirty = true;
    try {
      await this.#write(chunks, at, length, taken);
    } catch (error) {
      // What was hashed beside its write is not in the file.
      this.#hash.restart();
      this.#tail = true;
      await this.#cutTail().catch(() => undefined);
      throw error;
    }
    this.#size = at + length;
    if (!this.#removed) this.#hash.progress(this.#size);
    if (this.#cached >= this.#context.writebackEveryBytes) this.#syncInBackground();
    return this.#size;
  }

  async #write(
    chunks: readonly Uint8Array[],
    at: number,
    length: number,
    taken: () => void,
  ): Promise<void> {
    const cached = this.#opened();
    const onBlock: DirectWriteSink['onBlock'] = (block, count, position) => {
      if (!this.#removed) this.#hash.feed(block, count, position);
    };
    const written = await this.#direct.write(chunks, at, { cached, taken, onBlock });
    if (written === length) return;
    const rest = written === 0 ? chunks : bytesBetween(chunks, written, length);
    this.#cached += length - written;
    await cached.write(rest, at + written);
    taken();
  }

  async #cutTail(): Promise<void> {
    if (!this.#tail) return;
    this.#dirty = true;
    await this.#opened().truncate(this.#size!);
    this.#tail = false;
  }

  async truncate(size: number): Promise<void> {
    await this.#syncing?.catch(() => undefined);
    this.#hash.restart();
    this.#size = size;
    this.#tail = true;
    this.#synced = Math.min(this.#synced, size);
    await this.#cutTail();
    if (size === this.#synced) this.#syncFailure = undefined;
  }

  async sync(): Promise<void> {
    for (this.#mustBeSound(); this.#dirty || this.#syncing !== undefined; this.#mustBeSound()) {
      await (this.#syncing ?? this.#startSync());
    }
  }

  /** One at a time. What is appended meanwhile is for the next. */
  #startSync(): Promise<void> {
    const upTo = this.#size!;
    const run = async (): Promise<void> => {
      try {
        await this.#opened().sync();
        this.#synced = upTo;
      } catch (error) {
        this.#syncFailure = { error };
        throw error;
      }
    };
    this.#dirty = false;
    this.#cached = 0;
    this.#syncing = run().finally(() => (this.#syncing = undefined));
    return this.#syncing;
  }

  /** A failure is thrown by the next call. */
  #syncInBackground(): void {
    if (this.#syncing === undefined) this.#startSync().catch(() => undefined);
  }

  #mustBeSound(): void {
    if (this.#syncFailure !== undefined) throw this.#syncFailure.error;
  }

  /** The hex digest of all bytes. */
  async hash(algorithm: DigestAlgorithm): Promise<string> {
    this.#mustBeSound();
    const size = this.#size!;
    // While it is hashed it also gets to the disk: the sync that follows is short.
    if (this.#cached > this.#context.hashInPlaceMaxBytes) this.#syncInBackground();
    if (algorithm === this.#algorithm) return this.#hash.finish(size);
    using other = this.#hashOf(algorithm);
    return await other.finish(size);
  }

  /** Makes the bytes ready to be a blob: no more and no less of them, synced. */
  async seal(): Promise<void> {
    await this.#cutTail();
    await this.sync();
  }

  moveTo(path: string): Promise<void> {
    return this.#context.files.rename(this.#path, path);
  }

  /** Never throws. */
  async close(): Promise<void> {
    const file = this.#file;
    await this.#syncing?.catch(() => undefined);
    if (this.#syncFailure !== undefined) {
      // Should the cut itself fail, the next append tries it again.
      await this.truncate(this.#synced).catch(() => undefined);
      this.#syncFailure = undefined;
    }
    this.#file = undefined;
    await file?.[Symbol.asyncDispose]();
    await this.#direct[Symbol.asyncDispose]();
    const { hashInPlaceMaxBytes, idleHashes } = this.#context;
    if (this.#removed) this.#hash[Symbol.dispose]();
    else if ((this.#size ?? 0) > hashInPlaceMaxBytes) idleHashes.keep(this.#hash);
  }

  /** Also while it is open: further calls of who has it change nothing that anybody sees. */
  async remove(): Promise<void> {
    this.#removed = true;
    this.#context.idleHashes.leave(this.#hash);
    this.#hash[Symbol.dispose]();
    await removeFile(this.#context.files, this.#path);
  }
}
