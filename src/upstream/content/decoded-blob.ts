import { createHash } from 'node:crypto';
import type { Digest } from '../../domain/names/digest.ts';
import { algorithmOf } from '../../domain/names/digest.ts';
import type { ArrivingBody } from '../wire/arriving-body.ts';
import type { Span } from './blob-body.ts';
import { decode, isCoded } from './content-coding.ts';
import type { Answer } from '../wire/exchange.ts';

/** Bytes read ahead to find out which form has the digest; what is longer is a layer, which nobody codes again on the way. */
const codedBytesMax = 1024 * 1024;
const decodedBytesMax = 4 * 1024 * 1024;

interface Body {
  readonly body: ArrivingBody;
}

/**
 * A small whole blob that is said to be coded, as Red Hat's registry does with configurations: decoded where that form has the
 * digest, else the bytes as they came. `undefined`: the answer is to be read as it comes.
 */
export async function decodedBody(
  answer: Answer,
  span: Span,
  digest: Digest,
): Promise<(Span & Body) | undefined> {
  const { start, total, length = 0 } = span;
  const isWholeBlob = start === 0 && (!span.partial || length === total);
  if (!isCoded(answer) || !isWholeBlob || length > codedBytesMax) return undefined;
  const ahead = await readAhead(answer.body);
  const asItCame = { ...span, body: ahead.body };
  if (ahead.whole === undefined || isRight(ahead.whole, digest)) return asItCame;
  const decoded = await decode(answer, ahead.whole, decodedBytesMax);
  if (decoded === undefined || !isRight(decoded, digest)) return asItCame;
  const bytes = decoded.length;
  const body = replay([decoded], answer.body);
  return { start: 0, total: bytes, length: bytes, partial: false, ranges: false, body };
}

/** The body from its front again, and all of its bytes where they are few. */
async function readAhead(
  body: ArrivingBody,
): Promise<{ readonly whole: Uint8Array | undefined; readonly body: ArrivingBody }> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  while (bytes <= codedBytesMax) {
    const chunk = await body.read();
    if (chunk === undefined)
      return { whole: Buffer.concat(chunks, bytes), body: replay(chunks, body) };
    chunks.push(chunk);
    bytes += chunk.length;
  }
  return { whole: undefined, body: replay(chunks, body) };
}

function replay(chunks: readonly Uint8Array[], rest: ArrivingBody): ArrivingBody {
  const waiting = [...chunks];
  return {
    read: async () => waiting.shift() ?? (await rest.read()),
    destroy() {
      waiting.length = 0;
      rest.destroy();
    },
  };
}

function isRight(bytes: Uint8Array, digest: Digest): boolean {
  const algorithm = algorithmOf(digest);
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}` === digest;
}
