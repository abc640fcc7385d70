/** What JSON can't hold as it is, and the line separators that some readers split at. */
const unsafe = /["\\\p{Cc}\p{Cs}\u2028\u2029]/u;

/** A string as JSON text; plain ones cost a look. Longer than `charactersMax` is cut. */
export function jsonText(text: string, charactersMax: number = 512): string {
  const bounded = text.length > charactersMax ? text.slice(0, charactersMax) : text;
  return unsafe.test(bounded) ? JSON.stringify(bounded) : `"${bounded}"`;
}
