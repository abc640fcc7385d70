import type { ByteStream } from '../../domain/byte-source.ts';
import { RegistryError } from '../../domain/errors.ts';
import { appendBlockBytes } from '../../ports/uploads.ts';
import type { UploadLease } from '../../ports/uploads.ts';
import type { ChunkRange } from './pushes.ts';
import type { UploadBudget } from './upload-budget.ts';
import type { SpaceGate } from '../space/space-gate.ts';
import { storageFull } from '../space/storage-answer.ts';
import { waitUnder } from '../../coordination/waiting.ts';

/** Smaller chunks are not worth the call. */
const givenBackBytesMin = 8 * 1024;

/** What one request brings for an upload. */
export interface UploadBody {
  readonly range: ChunkRange | undefined;
  /** Content-Length, where there is one. */
  readonly bytes: number | undefined;
  readonly body: ByteStream;
}

/** How many bytes a request announces; `sizeInvalid` where its range and its length disagree. */
export function announcedBytes({ range, bytes }: Omit<UploadBody, 'body'>): number | undefined {
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
  readonly space: SpaceGate;
  readonly memory: UploadBudget;
  /** What a failed write is told as. */
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
  using batches = createBatches(file, limits, body.givesChunksAway === true);
  const chunks = body[Symbol.asyncIterator]();
  let bytes = 0;
  try {
    for (;;) {
      const chunk = await nextChunk(chunks, stop);
      if (chunk === undefined) break;
      bytes += chunk.byteLength;
      requireAnnounced(bytes, limits.announced, 'more');
      requireFits(startsAt + bytes, limits.maxBlobBytes);
      await batches.add(chunk);
      const turn = batches.turn();
      if (turn !== undefined) await waitForTurn(turn, stop);
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

async function nextChunk(
  chunks: AsyncIterator<Uint8Array>,
  stop: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    const next = await waitUnder(chunks.next(), stop);
    return next.done === true ? undefined : next.value;
  } catch (error) {
    throw new BrokenBody('the body broke off', { cause: error });
  }
}

async function waitForTurn(turn: Promise<void>, stop: AbortSignal): Promise<void> {
  try {
    await waitUnder(turn, stop);
  } catch (error) {
    throw new BrokenBody('the body broke off', { cause: error });
  }
}

interface Batches extends Disposable {
  /** Resolves when the chunk is gathered, or on its way to the disk. */
  add(chunk: Uint8Array): Promise<void>;
  /** Resolves when the memory of all uploads has room for the next chunk; `undefined` where it has. */
  turn(): Promise<void> | undefined;
  /** Resolves when all is written. */
  end(): Promise<void>;
  /** Resolves when nothing is being written; what was gathered is dropped. */
  idle(): Promise<void>;
}

/**
 * One batch is on its way to the disk while the next gathers; each ends where a block of the file does, or earlier where the memory of
 * all uploads is used up.
 */
function createBatches(file: UploadLease, limits: BodyLimits, owned: boolean): Batches {
  let gathered: Piece[] = [];
  let gatheredBytes = 0;
  let gatheredCost = 0;
  let position = file.size;
  let writing: Promise<void> = Promise.resolve();
  let flushing: Promise<void> = Promise.resolve();
  const part = limits.memory.join(() => void flush().catch(() => {}));

  const missingOfBlock = (): number =>
    appendBlockBytes - ((position + gatheredBytes) % appendBlockBytes);

  async function write(pieces: readonly Piece[], bytes: number, cost: number): Promise<void> {
    part.writing(cost);
    try {
      using room = await limits.space.reserve(bytes);
      if (room === undefined) throw storageFull();
      await file.append(
        pieces.map((piece) => piece.bytes),
        () => pieces.forEach(({ free }) => free?.transfer(0)),
      );
      room.written();
    } catch (error) {
      throw limits.answer(error);
    } finally {
      part.written(cost);
    }
  }

  /** Resolves when what is gathered now is on its way. One after another: a file is appended to by one write at a time. */
  function flush(): Promise<void> {
    const mine = flushing.then(async () => {
      await writing;
      if (gathered.length === 0) return;
      position += gatheredBytes;
      writing = write(gathered, gatheredBytes, gatheredCost);
      writing.catch(() => {});
      gathered = [];
      gatheredBytes = 0;
      gatheredCost = 0;
    });
    flushing = mine.catch(() => {});
    return mine;
  }

  function gather(bytes: Uint8Array, free: ArrayBuffer | undefined): void {
    gathered.push({ bytes, free });
    gatheredBytes += bytes.byteLength;
    gatheredCost += part.gather(bytes.byteLength);
  }

  return {
    add: async (chunk) => {
      const free = owned ? memoryOf(chunk) : undefined;
      let rest = chunk;
      for (let fits = missingOfBlock(); rest.byteLength >= fits; fits = missingOfBlock()) {
        gather(rest.subarray(0, fits), rest.byteLength === fits ? free : undefined);
        rest = rest.subarray(fits);
        await flush();
      }
      if (rest.byteLength > 0) gather(rest, free);
    },
    turn: () => part.turn(),
    end: async () => {
      await flush();
      await writing;
    },
    idle: async () => {
      gathered = [];
      gatheredBytes = 0;
      await writing.catch(() => {});
    },
    [Symbol.dispose]: () => part[Symbol.dispose](),
  };
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
