/** Code units of a pattern; `any` and `one` stand for `*` and `?`, so a value that is put in can never be a wildcard. */
export type PatternCodes = readonly number[];

/** The code of `*`. */
export const any = -1;
const one = -2;

/** `*` as any characters, `?` as one; anything else is itself. */
export function wildcardCodeAt(text: string, at: number): number {
  const letter = text[at];
  if (letter === '*') return any;
  return letter === '?' ? one : text.charCodeAt(at);
}

/** Whether a text matches a pattern of `*` (any characters, slashes too) and `?` (one). */
export function matchesGlob(pattern: string, text: string): boolean {
  return matchesPattern(
    Array.from({ length: pattern.length }, (_, at) => wildcardCodeAt(pattern, at)),
    text,
  );
}

/** Whether a text matches; the cost is at most pattern times text, as only the last `*` is returned to. */
export function matchesPattern(codes: PatternCodes, text: string): boolean {
  let p = 0;
  let t = 0;
  let starAt = -1;
  let starText = 0;
  while (t < text.length) {
    const code = codes[p];
    if (code === any) {
      starAt = p;
      starText = t;
      p += 1;
    } else if (code === one) {
      p += 1;
      t += (text.codePointAt(t) ?? 0) > 0xffff ? 2 : 1;
    } else if (code === text.charCodeAt(t)) {
      p += 1;
      t += 1;
    } else if (starAt >= 0) {
      p = starAt + 1;
      starText += 1;
      t = starText;
    } else {
      return false;
    }
  }
  while (codes[p] === any) p += 1;
  return p === codes.length;
}
