import { setImmediate as turn } from 'node:timers/promises';

/** Texts beyond it stay bytes. */
export const longTextBytes: number = 256 * 1024;

/** Characters of base64 looked at or decoded at once; other requests are served between two pieces. A multiple of four. */
const pieceCharacters = 128 * 1024;

const utf8 = new TextDecoder('utf-8', { fatal: true });
const base64Piece = /^[A-Za-z0-9+/]*$/;
const base64End = /^[A-Za-z0-9+/]*={0,2}$/;

/** A long text of a JSON body as the bytes between its quotes: made into a text and decoded it would be in memory three times. */
export class LongText {
  /** What it says in base64; absent: it is no base64 as RFC 4648 §4 has it, or it has escapes. */
  readonly encoded: EncodedBytes | undefined;
  readonly #bytes: Uint8Array;

  private constructor(bytes: Uint8Array, encoded: EncodedBytes | undefined) {
    this.#bytes = bytes;
    this.encoded = encoded;
  }

  /** Looks through it piece by piece. */
  static async read(bytes: Uint8Array): Promise<LongText> {
    return new LongText(bytes, (await isBase64(bytes)) ? new EncodedBytes(bytes) : undefined);
  }

  /** What JSON says with it; `undefined`: nothing, its bytes or its escapes are wrong. */
  text(): string | undefined {
    try {
      return JSON.parse(`"${utf8.decode(this.#bytes)}"`) as string;
    } catch {
      return undefined;
    }
  }
}

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
