/** What JSON text may not have where its meaning must be the same to every reader. */
export interface JsonProblem {
  readonly kind: 'duplicateKey' | 'tooDeep' | 'unfitText';
  /** The key, the depth or the text. */
  readonly what: string;
  /** The keys and indexes that lead to the object or list in which it stands. */
  readonly within: readonly (string | number)[];
}

export interface JsonDemands {
  /** As what a key counts; absent: as itself. */
  readonly sameKey?: (key: string) => string;
  /** Whether a key or a text may be there; absent: any may. */
  readonly isFit?: (text: string) => boolean;
}

/** An object or a list whose end is not reached yet. */
interface Open {
  /** The keys seen; absent in a list. */
  readonly keys: Set<string> | undefined;
  /** The key or the index that was reached. */
  at: string | number;
}

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const comma = 0x2c;

/**
 * The first key that stands twice in one object, or the first value nested deeper than `depthMax`; in one pass over the text,
 * before it is parsed. `JSON.parse` takes the last of two keys, other readers the first, and some (Go's) any spelling of its
 * letters. Text that is no JSON may give anything; parsing it fails all the same.
 */
export function findJsonProblem(
  text: string,
  depthMax: number,
  { sameKey, isFit }: JsonDemands = {},
): JsonProblem | undefined {
  const open: Open[] = [];
  const found = (kind: JsonProblem['kind'], what: string): JsonProblem => ({
    kind,
    what,
    within: open.slice(0, -1).map(({ at }) => at),
  });
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case openBrace:
      case openBracket:
        if (open.length >= depthMax) return found('tooDeep', String(depthMax));
        open.push(
          text.charCodeAt(at) === openBrace
            ? { keys: new Set(), at: '' }
            : { keys: undefined, at: 0 },
        );
        break;
      case closeBrace:
      case closeBracket:
        open.pop();
        break;
      case comma: {
        const inside = open.at(-1);
        if (typeof inside?.at === 'number') inside.at += 1;
        break;
      }
      case quote: {
        const end = endOfString(text, at);
        const inside = open.at(-1);
        const asKey = inside?.keys !== undefined && isKey(text, end);
        const written = asKey || isFit !== undefined ? textOf(text.slice(at, end + 1)) : '';
        if (isFit?.(written) === false) return found('unfitText', written);
        if (asKey) {
          const counted = sameKey?.(written) ?? written;
          if (inside.keys.has(counted)) return found('duplicateKey', written);
          inside.keys.add(counted);
          inside.at = written;
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

/** The text as it is meant, escapes resolved. */
function textOf(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1);
  try {
    return String(JSON.parse(quoted));
  } catch {
    return quoted;
  }
}
