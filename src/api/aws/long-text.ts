import { turnFor } from '../../coordination/loop-share.ts';
import { byteLengthOf } from '../../domain/byte-chunks.ts';
import type { ByteStream } from '../../domain/byte-source.ts';
import { joined } from '../../http/bodies/joined.ts';

/** Texts beyond it stay bytes. */
export const longTextBytes: number = 256 * 1024;

/** Looked at or decoded at once; other requests are served between. A multiple of four. */
const pieceBytes = 64 * 1024;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A long text of a JSON body. One of base64 is decoded where it is: made into a text first it would be in memory three times. */
export class LongText {
  /** What it says in base64; absent: it is no base64 as RFC 4648 §4 has it, or it has escapes. */
  readonly encoded: EncodedBytes | undefined;
  readonly #text: string | undefined;

  private constructor(read: EncodedBytes | string | undefined) {
    this.encoded = read instanceof EncodedBytes ? read : undefined;
    this.#text = typeof read === 'string' ? read : undefined;
  }

  /** Reads it piece by piece; where it is base64 the chunks are its own from here on. */
  static async read(chunks: readonly Uint8Array[]): Promise<LongText> {
    const encoded = await EncodedBytes.read(chunks);
    return new LongText(encoded ?? (await textOf(await joined(chunks, byteLengthOf(chunks)))));
  }

  /** What JSON says with it; `undefined`: nothing, its bytes or its escapes are wrong. */
  text(): string | undefined {
    return this.encoded?.text() ?? this.#text;
  }
}

/** At once 28 MiB of escapes would hold every other request up for a sixth of a second. */
async function textOf(bytes: Uint8Array): Promise<string | undefined> {
  let text = '';
  try {
    for (let at = 0; at < bytes.length;) {
      const end = endOfPiece(bytes, at);
      text += JSON.parse(`"${utf8.decode(bytes.subarray(at, end))}"`) as string;
      at = end;
      // They cost several times what a copy does.
      const turn = turnFor(4 * pieceBytes);
      if (turn !== undefined) await turn;
    }
  } catch {
    return undefined;
  }
  return text;
}

/** Where a piece ends that cuts through no character and no escape. */
function endOfPiece(bytes: Uint8Array, start: number): number {
  let end = start + pieceBytes;
  if (end >= bytes.length) return bytes.length;
  // A character has four bytes at most.
  for (let more = 0; more < 3 && ((bytes[end] ?? 0) & 0xc0) === 0x80; more += 1) end -= 1;
  for (let at = end - 1; at >= end - escapeBytesMax; at -= 1) {
    if (bytes[at] !== backslash) continue;
    let first = at;
    while (first > start && bytes[first - 1] === backslash) first -= 1;
    // Of several in a row every other one begins an escape.
    const begins = (at - first) % 2 === 0 ? at : at - 1;
    const length = bytes[begins + 1] === letterU ? escapeBytesMax : 2;
    return begins + length > end ? begins : end;
  }
  return end;
}

const backslash = 0x5c;
const letterU = 0x75;
/** Of one by its number. */
const escapeBytesMax = 6;

/** What a long text says in base64, decoded into the memory that the text had. */
export class EncodedBytes implements ByteStream {
  readonly byteLength: number;
  readonly #pieces: readonly Uint8Array[];
  /** The last four characters: several say the same bytes. */
  readonly #end: string;

  private constructor(pieces: readonly Uint8Array[], end: string) {
    this.byteLength = byteLengthOf(pieces);
    this.#pieces = pieces;
    this.#end = end;
  }

  /** The chunks are its own from here on. `undefined`: they are no base64, and are as they were. */
  static async read(chunks: readonly Uint8Array[]): Promise<EncodedBytes | undefined> {
    const length = byteLengthOf(chunks);
    if (length % 4 !== 0) return undefined;
    const decoded: { readonly place: Uint8Array; readonly bytes: Uint8Array }[] = [];
    let end = '';
    let done = 0;
    for (const place of inFours(chunks)) {
      const turn = turnFor(place.length);
      if (turn !== undefined) await turn;
      const text = latin1(place);
      done += place.length;
      const bytes = decode(text, place, done === length);
      if (bytes === undefined) {
        place.set(Buffer.from(text, 'latin1'));
        for (const each of decoded) each.place.set(Buffer.from(base64(each.bytes), 'latin1'));
        return undefined;
      }
      decoded.push({ place, bytes });
      end = text.slice(-4);
    }
    return new EncodedBytes(
      decoded.map(({ bytes }) => bytes),
      end,
    );
  }

  text(): string {
    const text = this.#pieces.map(base64).join('');
    return `${text.slice(0, -4)}${this.#end}`;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (const piece of this.#pieces) {
      const turn = turnFor(piece.length);
      if (turn !== undefined) await turn;
      yield piece;
    }
  }
}

/** The bytes, in the beginning of the place; `undefined`: it is no base64, and anything may be there. Only the end of all has padding. */
function decode(text: string, into: Uint8Array, isEnd: boolean): Uint8Array | undefined {
  const padding = isEnd ? (/={0,2}$/.exec(text.slice(-2))?.[0].length ?? 0) : 0;
  try {
    const { written } = into.setFromBase64(text);
    // White space says nothing, and is not part of it.
    return written === (text.length / 4) * 3 - padding ? into.subarray(0, written) : undefined;
  } catch {
    return undefined;
  }
}

function base64(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('base64');
}

function latin1(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('latin1');
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** The same bytes in pieces that have a multiple of four each; only those that chunks part are copied. */
function* inFours(chunks: readonly Uint8Array[]): Generator<Uint8Array> {
  let parted: number[] = [];
  for (const chunk of chunks) {
    let start = 0;
    if (parted.length > 0) {
      start = Math.min(4 - parted.length, chunk.length);
      parted.push(...chunk.subarray(0, start));
      if (parted.length < 4) continue;
      yield Uint8Array.from(parted);
    }
    const end = chunk.length - ((chunk.length - start) % 4);
    for (; start < end; start += pieceBytes)
      yield chunk.subarray(start, Math.min(start + pieceBytes, end));
    parted = [...chunk.subarray(end)];
  }
}
