/** Follows HTTP/1.1 responses on one connection and counts their body bytes without keeping any. */
export interface ResponseReader {
  /** Takes what arrived; the bytes are not kept. Throws on a response that it cannot follow. */
  take(bytes: Buffer): void;
}

export interface ResponseEvents {
  head(status: number): void;
  body(bytes: number): void;
  end(): void;
}

type Mode = 'head' | 'body' | 'chunkSize' | 'chunk' | 'chunkEnd' | 'trailers';

const headBytesMax = 64 * 1024;

export function createResponseReader(events: ResponseEvents): ResponseReader {
  let mode: Mode = 'head';
  /** A head or a line that has arrived in part. */
  let pending: Buffer = Buffer.alloc(0);
  let left = 0;

  const line = (bytes: Buffer, end: string): { text: string; rest: Buffer } | undefined => {
    const all = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
    const at = all.indexOf(end);
    if (at < 0) {
      if (all.length > headBytesMax) throw new Error('the head does not end');
      pending = Buffer.from(all);
      return undefined;
    }
    pending = Buffer.alloc(0);
    return { text: all.toString('latin1', 0, at), rest: all.subarray(at + end.length) };
  };
  const ended = (): void => {
    mode = 'head';
    events.end();
  };
  const readHead = (text: string): void => {
    events.head(Number(text.split(' ', 2)[1]));
    if (/^transfer-encoding:\s*chunked/im.test(text)) {
      mode = 'chunkSize';
      return;
    }
    const length = /^content-length:\s*(\d+)/im.exec(text)?.[1];
    if (length === undefined) throw new Error('neither a length nor chunks');
    left = Number(length);
    mode = 'body';
    if (left === 0) ended();
  };
  const readLine = (text: string): void => {
    if (mode === 'head') readHead(text);
    else if (mode === 'chunkSize') {
      left = Number.parseInt(text, 16);
      if (!(left >= 0)) throw new Error(`not a chunk size: ${text}`);
      mode = left === 0 ? 'trailers' : 'chunk';
    } else if (mode === 'chunkEnd') mode = 'chunkSize';
    else if (mode === 'trailers' && text === '') ended();
  };
  return {
    take(arrived) {
      let bytes = arrived;
      while (bytes.length > 0) {
        if (mode === 'body' || mode === 'chunk') {
          const count = Math.min(left, bytes.length);
          left -= count;
          bytes = bytes.subarray(count);
          events.body(count);
          if (left > 0) continue;
          if (mode === 'body') ended();
          else mode = 'chunkEnd';
        } else {
          const found = line(bytes, mode === 'head' ? '\r\n\r\n' : '\r\n');
          if (found === undefined) return;
          bytes = found.rest;
          readLine(found.text);
        }
      }
    },
  };
}
