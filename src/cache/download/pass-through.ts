import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { ByteReader, ByteSource } from '../../domain/byte-source.ts';
import { algorithmOf, hexOf } from '../../domain/names/digest.ts';
import type { BlobBody, Upstream } from '../../ports/upstream.ts';
import { wrongDigest } from './download.ts';
import type { Download } from './download.ts';
import { askInTurn } from './upstream-sources.ts';
import type { UpstreamContent } from './upstream-sources.ts';

const prefixBlockBytes = 1024 * 1024;

/** A blob read from upstream for one client alone, hashed in flight and never stored: where the disk can't take it. */
export function passThroughSource(
  request: UpstreamContent,
  size: number | undefined,
  upstream: Upstream,
): ByteSource {
  return {
    size,
    open: async (span, signal) => {
      const whole =
        span === undefined || (span.start === 0 && size !== undefined && span.end + 1 >= size);
      const hash = whole ? createHash(algorithmOf(request.digest)) : undefined;
      return createUpstreamReader(
        request,
        upstream,
        { position: span?.start ?? 0, end: span?.end, size, hash },
        signal,
      );
    },
  };
}

/**
 * Goes on where a download's reader stands when the disk filled up. A whole body's hash is taken over what the file still
 * holds of it, then over what upstream sends.
 */
export async function createOverflowReader(
  download: Download,
  at: { readonly position: number; readonly end: number | undefined; readonly whole: boolean },
  signal: AbortSignal,
): Promise<ByteReader> {
  const { request, parts } = download;
  const hash = at.whole ? createHash(algorithmOf(request.digest)) : undefined;
  if (hash !== undefined) await hashPrefix(download, at.position, hash, signal);
  return createUpstreamReader(
    request,
    parts.upstream,
    { ...at, size: download.size, hash },
    signal,
  );
}

async function hashPrefix(
  download: Download,
  end: number,
  hash: Hash,
  signal: AbortSignal,
): Promise<void> {
  const block = Buffer.allocUnsafe(prefixBlockBytes);
  for (let position = 0; position < end;) {
    signal.throwIfAborted();
    const bytes = await download.file.read(
      block.subarray(0, Math.min(block.length, end - position)),
      position,
    );
    if (bytes === 0) throw new Error('the bytes sent so far can no longer be read back');
    hash.update(block.subarray(0, bytes));
    position += bytes;
  }
}

interface UpstreamReading {
  readonly position: number;
  /** The last byte; absent: to the blob's end. */
  readonly end: number | undefined;
  readonly size: number | undefined;
  /** Of all bytes before `position`; absent where the whole is not read and the client checks. */
  readonly hash: Hash | undefined;
}

async function createUpstreamReader(
  request: UpstreamContent,
  upstream: Upstream,
  reading: UpstreamReading,
  signal: AbortSignal,
): Promise<ByteReader> {
  const { rule, digest } = request;
  const ended = new AbortController();
  const either = AbortSignal.any([signal, ended.signal]);
  const range: { start: number; end?: number } = { start: reading.position };
  if (reading.end !== undefined) range.end = reading.end;
  const body = await askInTurn(request, signal, (target) =>
    upstream.openBlob(
      target,
      digest,
      reading.position === 0 && reading.end === undefined ? {} : { range },
      either,
    ),
  );
  const chunks = withLastHeldBack(
    trimmed(body, reading),
    () => {
      if (reading.hash === undefined || reading.hash.digest('hex') === hexOf(digest)) return;
      throw wrongDigest(rule.urls[0].host);
    },
    reading.hash,
  );
  return chunkReader(chunks, async () => {
    ended.abort(new Error('the reader was closed'));
    await body[Symbol.asyncDispose]();
  });
}

/** The asked span of a body whose upstream may have ignored the range. */
async function* trimmed(body: BlobBody, reading: UpstreamReading): AsyncGenerator<Uint8Array> {
  let at = body.start;
  for await (const chunk of body.chunks) {
    const from = Math.max(0, reading.position - at);
    const to =
      reading.end === undefined ? chunk.length : Math.min(chunk.length, reading.end + 1 - at);
    at += chunk.length;
    if (from < to) yield chunk.subarray(from, to);
    if (reading.end !== undefined && at > reading.end) return;
  }
}

/** Each chunk goes out when the next has come; the last only after `check`, which throws for wrong bytes. */
async function* withLastHeldBack(
  chunks: AsyncIterable<Uint8Array>,
  check: () => void,
  hash: Hash | undefined,
): AsyncGenerator<Uint8Array> {
  let last: Uint8Array | undefined;
  for await (const chunk of chunks) {
    hash?.update(chunk);
    if (last !== undefined) yield last;
    last = chunk;
  }
  check();
  if (last !== undefined) yield last;
}

function chunkReader(chunks: AsyncGenerator<Uint8Array>, close: () => Promise<void>): ByteReader {
  let rest: Uint8Array = new Uint8Array(0);
  let ended = false;
  const isHere = (): boolean => ended || rest.length > 0;
  const wait = async (): Promise<void> => {
    while (!isHere()) {
      const next = await chunks.next();
      if (next.done === true) ended = true;
      else rest = next.value;
    }
  };
  return {
    arrival: { isHere, wait },
    read: async (into) => {
      await wait();
      const bytes = Math.min(into.length, rest.length);
      into.set(rest.subarray(0, bytes));
      rest = rest.subarray(bytes);
      return bytes;
    },
    [Symbol.asyncDispose]: close,
  };
}
