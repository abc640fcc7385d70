/** What JSON text may not have where its meaning must be the same to every reader. */
export interface JsonProblem {
  readonly kind: 'duplicateKey' | 'tooDeep';
  /** The key, or the depth, as a message shows it. */
  readonly what: string;
}

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

const keyCharactersShown = 80;

/**
 * The first key that stands twice in one object, or the first value nested deeper than `depthMax`; in one pass over the text,
 * before it is parsed. `JSON.parse` takes the last of two keys, other readers the first, and some (Go's) any spelling of its
 * letters: `sameKey` says as what a key counts. Text that is no JSON may give anything; parsing it fails all the same.
 */
export function findJsonProblem(
  text: string,
  depthMax: number,
  sameKey: (key: string) => string = (key) => key,
): JsonProblem | undefined {
  /** Keys of the open objects; `undefined` stands for a list. */
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case openBrace:
      case openBracket:
        if (open.length >= depthMax) return { kind: 'tooDeep', what: String(depthMax) };
        open.push(text.charCodeAt(at) === openBrace ? new Set() : undefined);
        break;
      case closeBrace:
      case closeBracket:
        open.pop();
        break;
      case quote: {
        const end = endOfString(text, at);
        const keys = open.at(-1);
        if (keys !== undefined && isKey(text, end)) {
          const key = keyOf(text.slice(at, end + 1));
          const counted = sameKey(key);
          if (keys.has(counted))
            return { kind: 'duplicateKey', what: key.slice(0, keyCharactersShown) };
          keys.add(counted);
        }
        at = end;
        break;
      }
    }
  }
  return undefined;
}

/** The position of the closing quote; the text's end where there is none. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === backslash) at += 1;
    else if (code === quote) return at;
  }
  return text.length;
}

/** True where a colon follows the string that ends here. */
function isKey(text: string, end: number): boolean {
  let at = end + 1;
  while (at < text.length && isBlank(text.charCodeAt(at))) at += 1;
  return text.charCodeAt(at) === colon;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** The key as it is meant, escapes resolved. */
function keyOf(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1);
  try {
    return String(JSON.parse(quoted));
  } catch {
    return quoted;
  }
}
