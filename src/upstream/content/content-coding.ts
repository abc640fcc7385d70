import { promisify } from 'node:util';
import type { InputType } from 'node:zlib';
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib';
import { readWhole } from '../wire/body-reading.ts';
import type { Answer } from '../wire/exchange.ts';
import { headerOf } from '../wire/exchange.ts';

type Decoder = (bytes: InputType, options: { maxOutputLength: number }) => Promise<Uint8Array>;

const decoders: Readonly<Record<string, Decoder>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
};
const codingsMax = 2;

/**
 * Whether an answer says that its bytes are coded in a way that can be undone. That is often untrue: httpd labels what is
 * a gzip file itself, and stores keep a label like `aws-chunked` of the upload. The digest decides.
 */
export function isCoded(answer: Answer): boolean {
  return codingsOf(answer).length > 0;
}

/** The bytes with their codings undone; `undefined` where they are not coded so, or become more than `bytesMax`. */
export async function decode(
  answer: Answer,
  bytes: Uint8Array,
  bytesMax: number,
): Promise<Uint8Array | undefined> {
  let decoded = bytes;
  for (const decoder of codingsOf(answer)) {
    try {
      decoded = await decoder(decoded, { maxOutputLength: bytesMax });
    } catch {
      return undefined;
    }
  }
  return decoded === bytes ? undefined : decoded;
}

/** A decoded text is in memory before its length is known. */
const decodedBytesMax = 4 * 1024 * 1024;

/**
 * A whole text, decoded where it was coded although that was not asked for. `bytesMax` bounds it, 4 MiB what was decoded. `taken`
 * as in `readWhole`; it is called for the decoded bytes as well.
 */
export async function readDecoded(
  answer: Answer,
  bytesMax: number,
  upstream: string,
  taken?: (bytes: number) => void,
): Promise<Uint8Array> {
  const bytes = await readWhole(answer, bytesMax, upstream, taken);
  const decoded = await decode(answer, bytes, Math.min(bytesMax, decodedBytesMax));
  if (decoded === undefined) return bytes;
  taken?.(decoded.length);
  return decoded;
}

/** The last that was applied first. */
function codingsOf(answer: Answer): readonly Decoder[] {
  const said = (headerOf(answer, 'content-encoding') ?? '').toLowerCase().split(/[\s,]+/);
  const known = said.flatMap((coding) => decoders[coding] ?? []);
  return known.length > codingsMax ? [] : known.toReversed();
}
