import { randomUUID } from 'node:crypto';
import { turnFor } from '../../coordination/loop-share.ts';
import { byteLengthOf, bytesBetween } from '../../domain/byte-chunks.ts';
import { LongText, longTextBytes } from './long-text.ts';

/** Objects, arrays and members of one body, all together. */
const partsMax = 100_000;
const depthMax = 32;
/** What is neither of a long text nor that: names, numbers, white space. No call needs more, and a number or a name of 28 MiB costs half a second. */
const restBytesMax = 1024 * 1024;

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * A body as JSON; an empty one is `{}`, and texts of more than `longTextBytes` bytes are `LongText`s; the chunks are theirs from here on. `undefined`: it is none, or it
 * has more parts, is deeper or has more beside its long texts than any input, and would take many times its bytes in memory or its time.
 */
export async function parseJsonBody(
  chunks: readonly Uint8Array[],
): Promise<{ readonly value: unknown } | undefined> {
  if (byteLengthOf(chunks) === 0) return { value: {} };
  const found = await survey(chunks);
  if (found === undefined) return undefined;
  try {
    return { value: found.length === 0 ? parse(chunks) : await withLongTexts(chunks, found) };
  } catch {
    return undefined;
  }
}

type Reviver = (key: string, value: unknown) => unknown;

function parse(chunks: readonly Uint8Array[], reviver?: Reviver): unknown {
  const [only] = chunks;
  const bytes = chunks.length === 1 ? only : Buffer.concat(chunks);
  return JSON.parse(utf8.decode(bytes), reviver) as unknown;
}

/** The rest is parsed with a mark of this body's own in the place of each long text. */
async function withLongTexts(
  chunks: readonly Uint8Array[],
  found: readonly TextRange[],
): Promise<unknown> {
  const mark = randomUUID();
  const rest: Uint8Array[] = [];
  const texts = new Map<string, LongText>();
  let at = 0;
  for (const { start, end } of found) {
    const key = `${mark}${texts.size}`;
    texts.set(key, await LongText.read(bytesBetween(chunks, start, end)));
    rest.push(...bytesBetween(chunks, at, start), Buffer.from(key));
    at = end;
  }
  rest.push(...bytesBetween(chunks, at, byteLengthOf(chunks)));
  return parse(rest, (_key, value) =>
    typeof value === 'string' ? (texts.get(value) ?? value) : value,
  );
}

/** Positions in the body; `end` is the one behind. */
interface TextRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Where the texts of more than `longTextBytes` bytes are that are values. `undefined`: the body has more parts, is deeper or has more
 * beside them than any input. One pass over the bytes, others are served between; of what is no JSON it may say anything.
 */
async function survey(chunks: readonly Uint8Array[]): Promise<readonly TextRange[] | undefined> {
  const found = new Survey();
  for (const chunk of chunks) {
    const turn = turnFor(chunk.length);
    if (turn !== undefined) await turn;
    if (!found.take(chunk)) return undefined;
  }
  return found.longTexts;
}

/** What is known of a body between two of its chunks. */
class Survey {
  readonly longTexts: TextRange[] = [];
  #parts = 0;
  #depth = 0;
  #longBytes = 0;
  /** Where the chunk begins. */
  #position = 0;
  /** Of the text that is not over. */
  #textStart: number | undefined;
  /** The first byte of the next chunk is escaped. */
  #isEscaped = false;
  /** The last of the long texts is over, and whether it is a name is not known. */
  #mayBeName = false;

  /** False: more than any input has. */
  take(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length;) {
      at = this.#textStart === undefined ? this.#passRest(chunk, at) : this.#passText(chunk, at);
      const rest = (this.#textStart ?? this.#position + at) - this.#longBytes;
      if (this.#parts > partsMax || this.#depth > depthMax || rest > restBytesMax) return false;
    }
    this.#position += chunk.length;
    return true;
  }

  /** To behind the quote that begins a text, or to where there is too much. */
  #passRest(chunk: Uint8Array, start: number): number {
    let at = start;
    if (this.#mayBeName) {
      at = behindBlanks(chunk, start);
      if (at === chunk.length) return at;
      this.#mayBeName = false;
      if (chunk[at] === colon) this.#forgetLast();
    }
    let parts = this.#parts;
    let depth = this.#depth;
    for (; at < chunk.length && parts <= partsMax && depth <= depthMax; at += 1) {
      const byte = chunk[at];
      if (byte === quote) {
        this.#textStart = this.#position + at + 1;
        at += 1;
        break;
      }
      if (byte === comma) parts += 1;
      else if (byte === openBrace || byte === openBracket) {
        depth += 1;
        parts += 1;
      } else if (byte === closeBrace || byte === closeBracket) depth -= 1;
    }
    this.#parts = parts;
    this.#depth = depth;
    return at;
  }

  /** To behind the quote that ends the text. */
  #passText(chunk: Uint8Array, start: number): number {
    let from = this.#isEscaped ? start + 1 : start;
    this.#isEscaped = false;
    for (let jumps = 0; jumps < jumpsMax; jumps += 1) {
      const end = chunk.indexOf(quote, from);
      const isEscaped = backslashesBefore(chunk, from, end < 0 ? chunk.length : end) % 2 === 1;
      if (end < 0) {
        this.#isEscaped = isEscaped;
        return chunk.length;
      }
      if (!isEscaped) return this.#endText(end);
      from = end + 1;
    }
    return this.#walkText(chunk, from);
  }

  #walkText(chunk: Uint8Array, start: number): number {
    let at = start;
    for (; at < chunk.length; at += 1) {
      if (chunk[at] === quote) return this.#endText(at);
      if (chunk[at] === backslash) at += 1;
    }
    this.#isEscaped = at > chunk.length;
    return chunk.length;
  }

  /** It ends before `at`. */
  #endText(at: number): number {
    const start = this.#textStart ?? 0;
    const end = this.#position + at;
    this.#textStart = undefined;
    if (end - start > longTextBytes) {
      this.longTexts.push({ start, end });
      this.#longBytes += end - start;
      this.#mayBeName = true;
    }
    return at + 1;
  }

  #forgetLast(): void {
    const last = this.longTexts.pop();
    if (last !== undefined) this.#longBytes -= last.end - last.start;
  }
}

/** Escaped quotes in one chunk beyond which a look at each byte costs less than a jump each. */
const jumpsMax = 64;

function backslashesBefore(chunk: Uint8Array, from: number, end: number): number {
  let at = end;
  while (at > from && chunk[at - 1] === backslash) at -= 1;
  return end - at;
}

/** Where something else is than white space. */
function behindBlanks(chunk: Uint8Array, start: number): number {
  let at = start;
  while (chunk[at] === 0x20 || chunk[at] === 0x09 || chunk[at] === 0x0a || chunk[at] === 0x0d)
    at += 1;
  return at;
}
