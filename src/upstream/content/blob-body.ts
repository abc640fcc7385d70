import { unusable } from '../../domain/upstream-failure.ts';
import type { BlobBody, BlobLocation } from '../../ports/upstream.ts';
import type { ArrivingBody } from '../wire/arriving-body.ts';
import type { Calls } from '../calls.ts';
import { received, reportFailure } from '../calls.ts';
import type { Slot } from '../wire/lanes.ts';

/** Which bytes of a blob an answer holds. */
export interface Span {
  readonly start: number;
  readonly total: number | undefined;
  /** Bytes that this answer must give; `undefined` where it does not say. */
  readonly length: number | undefined;
  readonly partial: boolean;
  readonly ranges: boolean;
}

export interface BlobBodyParts extends Span {
  readonly calls: Calls;
  readonly body: ArrivingBody;
  readonly upstream: string;
  readonly location: BlobLocation;
  readonly answeredAfterMs: number;
  readonly slot: Slot;
}

/** So many received bytes make an event. */
const reportedBytesMin = 1024 * 1024;

/** A blob's bytes as they come; the connection's slot is free once it is disposed. */
export function createBlobBody(parts: BlobBodyParts): BlobBody {
  const { calls, body, upstream, slot, ...said } = parts;
  let unreported = 0;
  let disposed = false;
  const report = (): void => {
    received(calls, upstream, unreported);
    unreported = 0;
  };
  const chunks = readChunks(parts, (bytes) => {
    unreported += bytes;
    if (unreported >= reportedBytesMin) report();
  });
  return {
    ...said,
    chunks,
    async [Symbol.asyncDispose]() {
      if (disposed) return;
      disposed = true;
      body.destroy();
      slot[Symbol.dispose]();
      report();
    },
  };
}

async function* readChunks(
  parts: BlobBodyParts,
  count: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  const { calls, body, upstream, length } = parts;
  let bytes = 0;
  try {
    for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) {
      bytes += chunk.length;
      count(chunk.length);
      if (length !== undefined && bytes > length) throw wrongLength(bytes, length, upstream);
      yield chunk;
    }
    if (length !== undefined && bytes !== length) throw wrongLength(bytes, length, upstream);
  } catch (error) {
    reportFailure(calls, upstream, error);
    throw error;
  }
}

function wrongLength(bytes: number, length: number, upstream: string): Error {
  return unusable(`${bytes} bytes came where ${length} were announced`, 'wrongLength', upstream);
}
