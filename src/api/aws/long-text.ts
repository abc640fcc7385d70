import { setImmediate as turn } from 'node:timers/promises';

/** Texts beyond it stay bytes. */
export const longTextBytes: number = 256 * 1024;

/** Bytes looked at or decoded at once; other requests are served between two pieces. A multiple of four. */
const pieceCharacters = 128 * 1024;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const base64Piece = /^[A-Za-z0-9+/]*$/;
const base64End = /^[A-Za-z0-9+/]*={0,2}$/;

/** A long text of a JSON body. One of base64 stays the bytes between its quotes: made into a text and decoded it would be in memory three times. */
export class LongText {
  /** What it says in base64; absent: it is no base64 as RFC 4648 §4 has it, or it has escapes. */
  readonly encoded: EncodedBytes | undefined;
  readonly #text: string | undefined;

  private constructor(read: EncodedBytes | string | undefined) {
    this.encoded = read instanceof EncodedBytes ? read : undefined;
    this.#text = typeof read === 'string' ? read : undefined;
  }

  /** Looks through it piece by piece. */
  static async read(bytes: Uint8Array): Promise<LongText> {
    return new LongText((await isBase64(bytes)) ? new EncodedBytes(bytes) : await textOf(bytes));
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
      await turn();
    }
  } catch {
    return undefined;
  }
  return text;
}

/** Where a piece ends that cuts through no character and no escape. */
function endOfPiece(bytes: Uint8Array, start: number): number {
  let end = start + pieceCharacters;
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

/** Bytes that are still base64. */
export class EncodedBytes {
  /** Decoded. */
  readonly byteLength: number;
  readonly #base64: Uint8Array;

  constructor(base64: Uint8Array) {
    this.#base64 = base64;
    const padding = (base64.at(-1) === equals ? 1 : 0) + (base64.at(-2) === equals ? 1 : 0);
    this.byteLength = (base64.length / 4) * 3 - padding;
  }

  text(): string {
    return ascii(this.#base64);
  }

  /** Decoded one after another. */
  *pieces(): Generator<Uint8Array> {
    for (let at = 0; at < this.#base64.length; at += pieceCharacters)
      yield Buffer.from(ascii(this.#base64.subarray(at, at + pieceCharacters)), 'base64');
  }
}

const equals = 0x3d;

async function isBase64(bytes: Uint8Array): Promise<boolean> {
  if (bytes.length % 4 !== 0) return false;
  for (let at = 0; at < bytes.length; at += pieceCharacters) {
    const isLast = at + pieceCharacters >= bytes.length;
    const piece = ascii(bytes.subarray(at, at + pieceCharacters));
    if (!(isLast ? base64End : base64Piece).test(piece)) return false;
    await turn();
  }
  return true;
}

function ascii(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
