import type { ByteReader, ByteSource, ByteSpan } from '../../domain/byte-source.ts';
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
    open: (span, signal) => Promise.resolve(createDownloadReader(download, span, signal)),
  };
}

function createDownloadReader(
  download: Download,
  span: ByteSpan | undefined,
  signal: AbortSignal,
): ByteReader {
  const start = span?.start ?? 0;
  const generation = download.generation;
  let position = start;
  let successor: ByteReader | undefined;
  let open = true;
  download.attach(1);

  const end = (): number | undefined => (span === undefined ? download.size : span.end + 1);
  const isWhole = (): boolean =>
    span === undefined ||
    (span.start === 0 && download.size !== undefined && span.end + 1 >= download.size);
  const verified = (): boolean =>
    download.state === 'verified' || download.state === 'stored' || download.state === 'kept';

  /** One past the last byte that may go out now. */
  function limit(): number {
    const last = end() ?? position + download.availableFrom(position);
    if (!isWhole() || verified()) return last;
    return Math.max(start, last - heldBackBytes);
  }

  /** The reader that goes on where this download can't: the stored blob, or upstream itself when the disk filled up. */
  async function succeed(): Promise<ByteReader | undefined> {
    const { blobs } = download.parts;
    const last = end();
    if (download.state === 'stored' && last !== undefined && position < last) {
      const reader = await blobs.open(download.request.digest, { start: position, end: last - 1 });
      if (reader === undefined) throw new Error('the blob was removed while it went out');
      return reader;
    }
    if (download.state === 'overflow') {
      return createOverflowReader(download, { position, end: span?.end, whole: isWhole() }, signal);
    }
    return undefined;
  }

  const isBroken = (): boolean =>
    signal.aborted ||
    download.state === 'failed' ||
    (download.generation !== generation && position > start);
  const isAtEnd = (): boolean => {
    const last = end();
    return last !== undefined && position >= last && (!isWhole() || verified());
  };
  /** Bytes of the download's own file that may go out. */
  const readable = (): number =>
    download.state === 'stored' || download.state === 'overflow'
      ? 0
      : Math.min(limit() - position, download.availableFrom(position));

  function isHere(): boolean {
    if (successor !== undefined) return successor.arrival?.isHere() ?? true;
    return isBroken() || isAtEnd() || readable() > 0;
  }

  async function waitUntilHere(): Promise<void> {
    for (;;) {
      const { changes } = download;
      if (isHere()) return;
      successor ??= await succeed();
      if (successor !== undefined) await successor.arrival?.wait();
      // What changed since the look above wakes nobody any more.
      else if (download.changes === changes) await waitForMore();
    }
  }

  async function read(into: Uint8Array): Promise<number> {
    for (;;) {
      await waitUntilHere();
      if (successor !== undefined) return successor.read(into);
      const { changes } = download;
      signal.throwIfAborted();
      if (download.state === 'failed') throw download.error;
      if (isBroken()) throw new Error('the bytes sent so far were found wrong');
      if (isAtEnd()) return 0;
      const got = await download.readArrived(
        into.subarray(0, Math.min(into.length, readable())),
        position,
      );
      position += got;
      if (got > 0) return got;
      // What changed since the look above wakes nobody any more.
      if (download.changes === changes) await waitForMore();
    }
  }

  async function waitForMore(): Promise<void> {
    const entry = { position };
    download.waiting.add(entry);
    try {
      await download.changed(signal);
    } finally {
      download.waiting.delete(entry);
    }
  }

  return {
    read,
    arrival: { isHere, wait: waitUntilHere },
    [Symbol.asyncDispose]: async () => {
      if (!open) return;
      open = false;
      download.attach(-1);
      await successor?.[Symbol.asyncDispose]();
    },
  };
}
