import type { ByteStream } from '../../domain/byte-source.ts';
import { RegistryError } from '../../domain/errors.ts';
import { appendBlockBytes } from '../../ports/uploads.ts';
import type { UploadLease } from '../../ports/uploads.ts';
import type { ChunkRange } from './pushes.ts';
import type { UploadBudget, UploadPart } from './upload-budget.ts';
import type { SpaceGate } from '../space/space-gate.ts';
import { storageFull } from '../space/storage-answer.ts';
import { waitUnder } from '../../coordination/waiting.ts';

/** Smaller chunks are not worth the call. */
const givenBackBytesMin = 8 * 1024;

/** What one request brings for an upload. */
export interface UploadChunk {
  readonly range: ChunkRange | undefined;
  /** Content-Length, where there is one. */
  readonly bytes: number | undefined;
  readonly body: ByteStream;
}

/** How many bytes a request announces; `sizeInvalid` where its range and its length disagree. */
export function announcedBytes({ range, bytes }: Omit<UploadChunk, 'body'>): number | undefined {
  if (range === undefined) return bytes;
  const announced = range.end - range.start + 1;
  if (bytes === undefined || bytes === announced) return announced;
  throw wrongSize(`Content-Range names ${announced} bytes, Content-Length ${bytes}`, {
    contentRange: `${range.start}-${range.end}`,
    contentLength: bytes,
  });
}

/** The limits of one body. */
export interface BodyLimits {
  /** Exactly so many where it is known. */
  readonly announced: number | undefined;
  /** The whole blob. */
  readonly maxBlobBytes: number;
  readonly space: Pick<SpaceGate, 'fits' | 'reserve'>;
  readonly memory: UploadBudget;
  /** What a failed write is answered with. */
  readonly answer: (error: unknown) => unknown;
}

/**
 * Appends a body to an upload and resolves with its bytes, which are not synced. A body that is longer or shorter than
 * announced, or that can't be written, leaves nothing; of one that breaks off, what arrived stays. Throws `storageFull` before the
 * first byte is read where so much as was announced would go below `minFree`; room is taken for what has come.
 */
export async function appendBody(
  file: UploadLease,
  body: ByteStream,
  limits: BodyLimits,
  signal: AbortSignal,
): Promise<number> {
  const startsAt = file.size;
  requireFits(startsAt + (limits.announced ?? 0), limits.maxBlobBytes);
  if (!(await limits.space.fits(limits.announced ?? 0))) throw storageFull();
  const stop = AbortSignal.any([signal, file.cancelled]);
  using batches = new Batches(file, limits, body.givesChunksAway === true);
  const chunks = body[Symbol.asyncIterator]();
  let bytes = 0;
  try {
    for (;;) {
      const { done, value: chunk } = await unbroken(chunks.next(), stop);
      if (done === true) break;
      bytes += chunk.byteLength;
      requireAnnounced(bytes, limits.announced, 'more');
      requireFits(startsAt + bytes, limits.maxBlobBytes);
      await batches.add(chunk);
      const turn = batches.turn();
      if (turn !== undefined) await unbroken(turn, stop);
    }
    requireAnnounced(bytes, limits.announced, 'end');
    await batches.end();
    return bytes;
  } catch (error) {
    await settle(file, batches, error, startsAt);
    void chunks.return?.().catch(() => {});
    throw error instanceof BrokenBody ? error.cause : error;
  }
}

/** What arrived of a broken body is kept; of a refused one nothing. A cancelled upload is not touched any more. */
async function settle(
  file: UploadLease,
  batches: Batches,
  error: unknown,
  startsAt: number,
): Promise<void> {
  try {
    if (error instanceof BrokenBody && !file.cancelled.aborted) return await batches.end();
    await batches.idle();
    if (!file.cancelled.aborted) await file.truncate(startsAt);
  } catch {
    // The first failure is the answer; the upload's own size says what it has.
  }
}

/** The client's side failed: it left, or was cut off. */
class BrokenBody extends Error {
  override readonly name = 'BrokenBody';
}

async function unbroken<T>(work: Promise<T>, stop: AbortSignal): Promise<T> {
  try {
    return await waitUnder(work, stop);
  } catch (error) {
    throw new BrokenBody('the body broke off', { cause: error });
  }
}

/**
 * Gathers chunks into batches. One is on its way to the disk while the next gathers; each ends where a block of the file does, or
 * earlier where the memory of all uploads is used up.
 */
class Batches implements Disposable {
  readonly #upload: UploadLease;
  readonly #limits: BodyLimits;
  /** Chunks are ours, to be freed once they are written. */
  readonly #isOwner: boolean;
  readonly #part: UploadPart;
  #gathered: Piece[] = [];
  #gatheredBytes = 0;
  #gatheredCost = 0;
  /** Where the gathered bytes begin in the file. */
  #position: number;
  #writing: Promise<void> = Promise.resolve();
  #flushing: Promise<void> = Promise.resolve();

  constructor(upload: UploadLease, limits: BodyLimits, isOwner: boolean) {
    this.#upload = upload;
    this.#limits = limits;
    this.#isOwner = isOwner;
    this.#position = upload.size;
    this.#part = limits.memory.join(() => void this.#flush().catch(() => {}));
  }

  /** Resolves when the chunk is gathered, or on its way to the disk. */
  async add(chunk: Uint8Array): Promise<void> {
    const free = this.#isOwner ? memoryOf(chunk) : undefined;
    let rest = chunk;
    for (
      let fits = this.#missingOfBlock();
      rest.byteLength >= fits;
      fits = this.#missingOfBlock()
    ) {
      this.#gather(rest.subarray(0, fits), rest.byteLength === fits ? free : undefined);
      rest = rest.subarray(fits);
      await this.#flush();
    }
    if (rest.byteLength > 0) this.#gather(rest, free);
  }

  /** Resolves when the memory of all uploads has room for the next chunk; `undefined` where it has. */
  turn(): Promise<void> | undefined {
    return this.#part.turn();
  }

  /** Resolves when all is written. */
  async end(): Promise<void> {
    await this.#flush();
    await this.#writing;
  }

  /** Resolves when nothing is being written; what was gathered is dropped. */
  async idle(): Promise<void> {
    this.#gathered = [];
    this.#gatheredBytes = 0;
    await this.#writing.catch(() => {});
  }

  [Symbol.dispose](): void {
    this.#part[Symbol.dispose]();
  }

  #missingOfBlock(): number {
    return appendBlockBytes - ((this.#position + this.#gatheredBytes) % appendBlockBytes);
  }

  #gather(bytes: Uint8Array, free: ArrayBuffer | undefined): void {
    this.#gathered.push({ bytes, free });
    this.#gatheredBytes += bytes.byteLength;
    this.#gatheredCost += this.#part.gather(bytes.byteLength);
  }

  /** Resolves when what is gathered now is on its way. One after another: a file is appended to by one write at a time. */
  #flush(): Promise<void> {
    const mine = this.#flushing.then(async () => {
      await this.#writing;
      if (this.#gathered.length === 0) return;
      this.#position += this.#gatheredBytes;
      this.#writing = this.#write(this.#gathered, this.#gatheredBytes, this.#gatheredCost);
      this.#writing.catch(() => {});
      this.#gathered = [];
      this.#gatheredBytes = 0;
      this.#gatheredCost = 0;
    });
    this.#flushing = mine.catch(() => {});
    return mine;
  }

  async #write(pieces: readonly Piece[], bytes: number, cost: number): Promise<void> {
    this.#part.writing(cost);
    try {
      using room = await this.#limits.space.reserve(bytes);
      if (room === undefined) throw storageFull();
      await this.#upload.append(
        pieces.map((piece) => piece.bytes),
        () => pieces.forEach(({ free }) => free?.transfer(0)),
      );
      room.written();
    } catch (error) {
      throw this.#limits.answer(error);
    } finally {
      this.#part.written(cost);
    }
  }
}

/** What is written together, and the memory that is free after it. */
interface Piece {
  readonly bytes: Uint8Array;
  readonly free: ArrayBuffer | undefined;
}

/**
 * The memory that a chunk has for itself, to be freed as soon as it is written. Left to the collector, every 64 MiB of a body cost
 * a collection of the whole heap: a third of the time of a push.
 */
function memoryOf({ buffer, byteLength }: Uint8Array): ArrayBuffer | undefined {
  const own = byteLength === buffer.byteLength && byteLength >= givenBackBytesMin;
  return own && buffer instanceof ArrayBuffer ? buffer : undefined;
}

function requireAnnounced(bytes: number, announced: number | undefined, at: 'more' | 'end'): void {
  if (announced === undefined || bytes === announced) return;
  if (at === 'more' && bytes < announced) return;
  throw wrongSize(
    bytes > announced
      ? `the body has more than the ${announced} bytes that were announced`
      : `the body has ${bytes} bytes, ${announced} were announced`,
    { announced, received: bytes },
  );
}

function requireFits(bytes: number, maxBlobBytes: number): void {
  if (bytes <= maxBlobBytes) return;
  throw new RegistryError('requestTooLarge', `a blob has at most ${maxBlobBytes} bytes here`, {
    detail: { setting: 'cache.maxBlobBytes', value: maxBlobBytes },
  });
}

function wrongSize(message: string, detail: Readonly<Record<string, unknown>>): RegistryError {
  return new RegistryError('sizeInvalid', message, { detail });
}
