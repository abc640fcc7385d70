import { randomUUID } from 'node:crypto';
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
 * A body as JSON; an empty one is `{}`, and texts of more than `longTextBytes` bytes are `LongText`s. `undefined`: it is none, or it
 * has more parts, is deeper or has more beside its long texts than any input, and would take many times its bytes in memory or its time.
 */
export async function parseJsonBody(
  bytes: Uint8Array,
): Promise<{ readonly value: unknown } | undefined> {
  if (bytes.byteLength === 0) return { value: {} };
  const found = survey(bytes);
  if (found === undefined) return undefined;
  try {
    if (found.length === 0) return { value: JSON.parse(utf8.decode(bytes)) as unknown };
    return { value: await withLongTexts(bytes, found) };
  } catch {
    return undefined;
  }
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** The rest is parsed with a mark of this body's own in the place of each long text. */
async function withLongTexts(bytes: Uint8Array, found: readonly Range[]): Promise<unknown> {
  const mark = randomUUID();
  const pieces: Uint8Array[] = [];
  const texts = new Map<string, LongText>();
  let at = 0;
  for (const { start, end } of found) {
    const key = `${mark}${texts.size}`;
    texts.set(key, await LongText.read(bytes.subarray(start, end)));
    pieces.push(bytes.subarray(at, start), Buffer.from(key));
    at = end;
  }
  const rest = utf8.decode(Buffer.concat([...pieces, bytes.subarray(at)]));
  return JSON.parse(rest, (_key, value: unknown) =>
    typeof value === 'string' ? (texts.get(value) ?? value) : value,
  );
}

/** One pass over the bytes; a long text between quotes is jumped over. Where the long texts are that are values. */
function survey(bytes: Uint8Array): readonly Range[] | undefined {
  const found: Range[] = [];
  let parts = 0;
  let depth = 0;
  let longBytes = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === quote) {
      const start = at + 1;
      at = endOfText(bytes, start);
      if (at - start > longTextBytes && !isName(bytes, at + 1)) {
        found.push({ start, end: at });
        longBytes += at - start;
      }
    } else if (byte === comma) parts += 1;
    else if (byte === openBrace || byte === openBracket) {
      depth += 1;
      parts += 1;
    } else if (byte === closeBrace || byte === closeBracket) depth -= 1;
    if (parts > partsMax || depth > depthMax || at - longBytes > restBytesMax) return undefined;
  }
  return found;
}

/** Whether a text that ends there is the name of a member. */
function isName(bytes: Uint8Array, behind: number): boolean {
  let at = behind;
  while (bytes[at] === 0x20 || bytes[at] === 0x09 || bytes[at] === 0x0a || bytes[at] === 0x0d)
    at += 1;
  return bytes[at] === colon;
}

/** Where the quote is that ends a text. */
function endOfText(bytes: Uint8Array, start: number): number {
  let jumps = 0;
  let end = bytes.indexOf(quote, start);
  for (; end >= 0 && jumps < jumpsMax; end = bytes.indexOf(quote, end + 1)) {
    let before = end;
    while (before > start && bytes[before - 1] === backslash) before -= 1;
    if ((end - before) % 2 === 0) return end;
    jumps += 1;
  }
  return end < 0 ? bytes.length : walkText(bytes, start);
}

/** Of texts with more escaped quotes: a jump each costs more than a look at each byte. */
const jumpsMax = 64;

function walkText(bytes: Uint8Array, start: number): number {
  let at = start;
  for (; at < bytes.length && bytes[at] !== quote; at += 1) if (bytes[at] === backslash) at += 1;
  return at;
}
