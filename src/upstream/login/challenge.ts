/** One challenge of a WWW-Authenticate header (RFC 9110 §11.6.1). Scheme and parameter names are lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
/** Unquoted values hold what no token may, as in `realm=https://auth.example/token`: read to the comma. */
const unquoted = /[^\s,"]+/y;
const token68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y;
const blank = /[ \t]*/y;
const separators = /[ \t,]*/y;

/** Characters of all header lines together; what is beyond is not read. */
const challengeCharactersMax = 16_384;

/** Challenges in the order sent; what can't be read ends the list instead of failing it. A repeated parameter keeps its first value. */
export function parseChallenges(
  header: string | readonly string[] | undefined,
): readonly Challenge[] {
  const lines = header === undefined ? [] : typeof header === 'string' ? [header] : header;
  const challenges: Challenge[] = [];
  let left = challengeCharactersMax;
  for (const line of lines) {
    readLine(line.slice(0, left), challenges);
    left -= Math.min(left, line.length);
  }
  return challenges;
}

function readLine(text: string, into: Challenge[]): void {
  const cursor = createCursor(text);
  cursor.skip(separators);
  while (!cursor.atEnd()) {
    const scheme = cursor.take(token);
    if (scheme === undefined) return;
    const parameters = new Map<string, string>();
    into.push({ scheme: scheme.toLowerCase(), parameters });
    cursor.skip(blank);
    if (!cursor.looksLikeParameter() && cursor.take(token68) !== undefined) {
      cursor.skip(separators);
      continue;
    }
    if (!readParameters(cursor, parameters)) return;
  }
}

/** False where the text can't be read on. Stops before what is a scheme and no parameter. */
function readParameters(cursor: Cursor, into: Map<string, string>): boolean {
  for (;;) {
    cursor.skip(separators);
    if (cursor.atEnd() || !cursor.looksLikeParameter()) return true;
    const name = cursor.take(token)?.toLowerCase();
    cursor.skip(blank);
    cursor.literal('=');
    cursor.skip(blank);
    const value = cursor.literal('"') ? cursor.quoted() : cursor.take(unquoted);
    if (name === undefined || value === undefined) return false;
    if (!into.has(name)) into.set(name, value);
  }
}

interface Cursor {
  atEnd(): boolean;
  skip(pattern: RegExp): void;
  take(pattern: RegExp): string | undefined;
  literal(character: string): boolean;
  /** A token, then `=`, then a value: `realm="x"`, and not `Negotiate abc=`. */
  looksLikeParameter(): boolean;
  /** The rest of a quoted string whose opening quote is behind; `undefined` when it never closes. */
  quoted(): string | undefined;
}

const parameterStart =
  /[!#$%&'*+\-.^_`|~0-9A-Za-z]+[ \t]*=[ \t]*(?:"|[!#$%&'*+\-.^_`|~0-9A-Za-z])/y;

function createCursor(text: string): Cursor {
  let at = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  const take = (pattern: RegExp): string | undefined => {
    const found = match(pattern);
    at += found?.length ?? 0;
    return found;
  };
  return {
    atEnd: () => at >= text.length,
    skip: (pattern) => void take(pattern),
    take,
    literal(character) {
      if (text[at] !== character) return false;
      at += 1;
      return true;
    },
    looksLikeParameter: () => match(parameterStart) !== undefined,
    quoted() {
      let value = '';
      for (; at < text.length; at += 1) {
        const character = text[at] as string;
        if (character === '"') {
          at += 1;
          return value;
        }
        if (character === '\\') at += 1;
        value += text[at] ?? '';
      }
      return undefined;
    },
  };
}
