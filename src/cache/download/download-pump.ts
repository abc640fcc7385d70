import type { ByteSpan } from '../../domain/byte-source.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { BlobBody } from '../../ports/upstream.ts';
import type { Download } from './download.ts';

const pendingBytesMax = 1024 * 1024;

/**
 * Moves a body into the download's file: the first bytes at once, later ones gathered while a write is under way. Skips what
 * comes before the span (an upstream that ignored the range); bytes beyond it are an error. Answers the position reached.
 * `onFirst` is called once, a turn of the event loop after the first bytes.
 */
export async function pump(
  download: Download,
  body: BlobBody,
  span: ByteSpan | undefined,
  onFirst: (() => void) | undefined,
): Promise<number> {
  const end = span === undefined ? undefined : span.end + 1;
  const writer = createGatheringWriter(download, span?.start ?? body.start);
  let position = body.start;
  try {
    for await (const chunk of body.chunks) {
      download.signal.throwIfAborted();
      const skip = Math.min(chunk.length, Math.max(0, writer.nextPosition - position));
      const room = end === undefined ? chunk.length : Math.max(0, end - position);
      position += chunk.length;
      if (room < chunk.length) throw wrongLength(download, position);
      if (skip < chunk.length) await writer.push(skip === 0 ? chunk : chunk.subarray(skip));
      if (onFirst !== undefined) setImmediate(onFirst);
      onFirst = undefined;
    }
  } finally {
    await writer.flush();
  }
  if (end !== undefined && position < end) throw wrongLength(download, position);
  return position;
}

interface GatheringWriter {
  /** Where the next pushed byte belongs. */
  readonly nextPosition: number;
  /** Resolves at once while little is pending, else when there is room. */
  push(chunk: Uint8Array): Promise<void> | void;
  flush(): Promise<void>;
}

function createGatheringWriter(download: Download, start: number): GatheringWriter {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  let written = start;
  let writing: Promise<void> | undefined;
  let failure: { readonly error: unknown } | undefined;

  async function drain(): Promise<void> {
    try {
      while (pending.length > 0 && failure === undefined) {
        const chunks = pending;
        const bytes = pendingBytes;
        pending = [];
        pendingBytes = 0;
        await download.write(written, chunks);
        written += bytes;
      }
    } catch (error) {
      failure = { error };
    } finally {
      writing = undefined;
    }
  }

  async function settle(): Promise<void> {
    await writing;
    if (failure !== undefined) throw failure.error;
  }

  let next = start;
  return {
    get nextPosition() {
      return next;
    },
    push: (chunk) => {
      next += chunk.length;
      pending.push(chunk);
      pendingBytes += chunk.length;
      writing ??= drain();
      return pendingBytes >= pendingBytesMax || failure !== undefined ? settle() : undefined;
    },
    flush: settle,
  };
}

function wrongLength(download: Download, position: number): UpstreamFailure {
  return new UpstreamFailure(
    `upstream sent bytes up to ${position}, expected is ${download.size ?? 'another length'}`,
    {
      kind: 'invalid',
      reason: 'wrongLength',
      upstream: download.request.rule.urls[0]?.host ?? '',
    },
  );
}
