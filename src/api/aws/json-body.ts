/** Objects, arrays and members of one body, all together. */
const partsMax = 100_000;
const depthMax = 32;

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * A body as JSON; an empty one is `{}`. `undefined`: it is none, or it has more parts or is deeper than any input, and would take
 * many times its bytes in memory.
 */
export function parseJsonBody(bytes: Uint8Array): { readonly value: unknown } | undefined {
  if (bytes.byteLength === 0) return { value: {} };
  if (!isModest(bytes)) return undefined;
  try {
    return { value: JSON.parse(utf8.decode(bytes)) as unknown };
  } catch {
    return undefined;
  }
}

/** One pass over the bytes; a long text between quotes is jumped over. */
function isModest(bytes: Uint8Array): boolean {
  let parts = 0;
  let depth = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === quote) at = endOfText(bytes, at + 1);
    else if (byte === comma) parts += 1;
    else if (byte === openBrace || byte === openBracket) {
      depth += 1;
      parts += 1;
    } else if (byte === closeBrace || byte === closeBracket) depth -= 1;
    if (parts > partsMax || depth > depthMax) return false;
  }
  return true;
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
