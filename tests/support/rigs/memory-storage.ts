import { createHash } from 'node:crypto';
import { addSpan, contiguousUntil, missingIn } from '../../../src/domain/byte-spans.ts';
import type { ByteReader, ByteSpan } from '../../../src/domain/byte-source.ts';
import { algorithmOf, hexOf } from '../../../src/domain/names/digest.ts';
import type { Digest } from '../../../src/domain/names/digest.ts';
import type { BlobStore } from '../../../src/ports/blob-store.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import type { Spool, SpoolFile, VerifiedFile } from '../../../src/ports/spool.ts';
import type { Storage } from '../../../src/storage/file-storage.ts';
import { byteLengthOf, bytesBetween } from '../../../src/storage/disk/buffers.ts';
import { systemClock } from '../../../src/coordination/system-clock.ts';
import { createMemoryShelf } from './upload-memory.ts';
import { createUploads } from '../../../src/storage/uploads/uploads.ts';
import { markVerified, takeoverOf } from '../../../src/storage/blobs/verified-file.ts';

/** A partial that a journal has kept. */
interface Kept {
  readonly bytes: Uint8Array;
  readonly spans: readonly ByteSpan[];
  readonly size: number | undefined;
}

/** Storage of one process's life, for tests and for what needs no disk: the same contract, nothing survives. */
export function createMemoryStorage(clock: Clock = systemClock): Storage {
  const blobs = new Map<string, Uint8Array>();
  const shelf = createMemoryShelf((digest, bytes) => void blobs.set(digest, bytes));
  return {
    blobs: createMemoryBlobs(blobs),
    spool: createMemorySpool(blobs),
    uploads: createUploads({ clock, events: { emit: () => undefined } }, shelf),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

const totalBytes = 1024 ** 4;

function createMemoryBlobs(blobs: Map<string, Uint8Array>): BlobStore {
  return {
    size: async (digest) => blobs.get(digest)?.byteLength,
    open: async (digest, span) => {
      const bytes = blobs.get(digest);
      if (bytes === undefined) return undefined;
      if (span !== undefined && span.end >= bytes.byteLength) {
        throw new Error(`The blob ${digest} ends at ${bytes.byteLength}`);
      }
      return readerOf(span === undefined ? bytes : bytes.subarray(span.start, span.end + 1));
    },
    adopt: async (file, replace = false) => {
      const takeover = takeoverOf(file);
      if (replace || blobs.get(file.digest)?.byteLength !== file.size)
        await takeover.moveTo(file.digest);
      await takeover.settle();
    },
    delete: async (digest) => {
      blobs.delete(digest);
    },
    list: async function* () {
      yield* [...blobs.keys()] as Digest[];
    },
    space: async () => {
      const used = [...blobs.values()].reduce((sum, bytes) => sum + bytes.byteLength, 0);
      return { freeBytes: totalBytes - used, totalBytes };
    },
  };
}

function readerOf(bytes: Uint8Array): ByteReader {
  let position = 0;
  let closed = false;
  return {
    read: async (into) => {
      if (closed) throw new Error('The reader is closed');
      const part = bytes.subarray(position, position + into.byteLength);
      into.set(part);
      position += part.byteLength;
      return part.byteLength;
    },
    [Symbol.asyncDispose]: async () => {
      closed = true;
    },
  };
}

function createMemorySpool(blobs: Map<string, Uint8Array>): Spool {
  const open = new Set<string>();
  const kept = new Map<string, Kept>();
  return {
    open: async (owner, digest) => {
      const key = `${digest} ${owner}`;
      if (open.has(key)) throw new Error(`The partial of ${digest} is open already`);
      open.add(key);
      return new SpoolFileInMemory(digest, kept.get(key), {
        keep: (partial) => {
          if (partial === undefined) kept.delete(key);
          else kept.set(key, partial);
        },
        release: () => open.delete(key),
        place: (bytes) => blobs.set(digest, bytes),
      });
    },
    sweep: () => Promise.resolve(),
  };
}

interface Owner {
  readonly keep: (partial: Kept | undefined) => void;
  readonly release: () => void;
  readonly place: (bytes: Uint8Array) => void;
}

type State = 'open' | 'sealed' | 'adopted' | 'discarded' | 'closed';

class SpoolFileInMemory implements SpoolFile {
  readonly digest: Digest;
  readonly arrived: ByteSpan[];
  readonly #owner: Owner;
  #bytes: Uint8Array;
  #size: number | undefined;
  #state: State = 'open';
  #verified = false;

  constructor(digest: Digest, kept: Kept | undefined, owner: Owner) {
    this.digest = digest;
    this.arrived = [...(kept?.spans ?? [])];
    this.#bytes = kept?.bytes.slice() ?? new Uint8Array(0);
    this.#size = kept?.size;
    this.#owner = owner;
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
  }

  async write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    this.#mustBe('open');
    const length = byteLengthOf(chunks);
    if (length === 0) return;
    const end = position + length - 1;
    if (this.#size !== undefined && end >= this.#size) {
      throw new RangeError(`Bytes up to ${end} of a blob of ${this.#size} bytes`);
    }
    if (end >= this.#bytes.byteLength) {
      const grown = new Uint8Array(Math.max(this.#size ?? end * 2, end + 1));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    // Bytes that have arrived stay as they are.
    for (const gap of missingIn(this.arrived, { start: position, end })) {
      let at = gap.start;
      for (const part of bytesBetween(chunks, gap.start - position, gap.end + 1 - position)) {
        this.#bytes.set(part, at);
        at += part.byteLength;
      }
    }
    addSpan(this.arrived, { start: position, end });
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    if (this.#state === 'closed') throw new Error('The file is closed');
    const until = contiguousUntil(this.arrived, position);
    const part = this.#bytes.subarray(position, Math.min(until, position + into.byteLength));
    into.set(part);
    return part.byteLength;
  }

  async verify(): Promise<boolean> {
    this.#mustBe('open');
    const size = this.#size;
    if (size === undefined || contiguousUntil(this.arrived, 0) < size) {
      throw new Error(`Not all of ${this.digest} has arrived`);
    }
    const hash = createHash(algorithmOf(this.digest)).update(this.#bytes.subarray(0, size));
    this.#verified = hash.digest('hex') === hexOf(this.digest);
    return this.#verified;
  }

  async seal(expected: Digest): Promise<VerifiedFile> {
    this.#mustBe('open');
    if (!this.#verified || expected !== this.digest) throw new Error(`${expected} is not verified`);
    this.#state = 'sealed';
    const size = this.#size!;
    return markVerified(this.digest, size, {
      moveTo: async () => {
        if (this.#state === 'adopted') return;
        this.#mustBe('sealed');
        this.#owner.place(this.#bytes.subarray(0, size));
        this.#state = 'adopted';
      },
      settle: async () => this.#owner.keep(undefined),
    });
  }

  async journal(): Promise<void> {
    if ((this.#state !== 'open' && this.#state !== 'sealed') || this.arrived.length === 0) return;
    this.#owner.keep({ bytes: this.#bytes.slice(), spans: [...this.arrived], size: this.#size });
  }

  async reset(): Promise<void> {
    this.#mustBe('open');
    this.arrived.length = 0;
    this.#verified = false;
    this.#owner.keep(undefined);
  }

  async discard(): Promise<void> {
    if (this.#state === 'adopted' || this.#state === 'discarded') return;
    this.#mustBe('open', 'sealed');
    this.#state = 'discarded';
    this.#owner.keep(undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#owner.release();
  }

  #mustBe(...states: readonly State[]): void {
    if (!states.includes(this.#state)) {
      throw new Error(`The spool file of ${this.digest} is ${this.#state}`);
    }
  }
}
