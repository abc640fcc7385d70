import { Lexer } from 'yaml';
import type { TextEdit } from './read-text.ts';

/** Marks that the lexer puts between: the next lexeme is a scalar, a document begins, a flow collection breaks off. */
const marks: ReadonlySet<string> = new Set(['\u001f', '\u0002', '\u0018']);

/**
 * Whether the lexer finds in the edited text what it found before, but for scalars whose text the edits replaced. Then both say
 * the same: the parser sees nothing but lexemes, and how long a value is decides nothing. False says nothing: quotes that were
 * added, for example, are to be compared as values.
 */
export function sameLexemes(
  before: readonly string[],
  edits: readonly TextEdit[],
  edited: string,
): boolean {
  const sorted = edits.toSorted((a, b) => a.start - b.start);
  let edit = 0;
  let offset = 0;
  let index = 0;
  for (const lexeme of new Lexer().lex(edited)) {
    const old = before[index];
    if (old === undefined) return false;
    const isMark = marks.has(old);
    const end = offset + (isMark ? 0 : old.length);
    let wanted = old;
    // From behind, so that what comes before keeps its place.
    const first = edit;
    while (!isMark && (sorted[edit]?.end ?? Infinity) <= end) edit += 1;
    for (let each = edit - 1; each >= first; each -= 1) {
      const { start = 0, end: editEnd = 0, text = '' } = sorted[each] ?? {};
      if (start < offset || !isScalar(before, index)) return false;
      wanted = wanted.slice(0, start - offset) + text + wanted.slice(editEnd - offset);
    }
    if (lexeme !== wanted) return false;
    offset = end;
    index += 1;
  }
  return index === before.length && edit === sorted.length;
}

/** In quotes, or marked as a scalar. */
function isScalar(lexemes: readonly string[], index: number): boolean {
  return /^["']/.test(lexemes[index] ?? '') || lexemes[index - 1] === '\u001f';
}
