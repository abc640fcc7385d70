import type { RewriteOptions, RewrittenText } from '../../kubernetes/rewrite/rewrite-text.ts';
import { EditRefused, rewriteText } from '../../kubernetes/rewrite/rewrite-text.ts';
import type { ReadText } from '../../kubernetes/text/read-text.ts';
import { readSource } from '../../kubernetes/text/read-source.ts';

/** One reference, as `-o json` prints it. */
export interface ReferenceLine {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly field: string;
  readonly image: string;
  readonly becomes: string;
  /** `stays`: it is left as it is, and a person has to change it. */
  readonly state: 'changes' | 'stays';
  /** Why it is left, or what else is to be done; `null` where nothing is. */
  readonly note: string | null;
}

/** What came of one text. */
export interface RewrittenSource {
  readonly text: string;
  readonly lines: readonly ReferenceLine[];
  /** For people, each with file, line and column. */
  readonly problems: readonly string[];
}

/** Rewrites one text, read by its name unless it was read otherwise; where it can't be read, or an edit would change more than references, it stays and a problem says why. */
export function rewriteSource(
  path: string,
  text: string,
  options: RewriteOptions,
  read: ReadText = readSource(path, text),
): RewrittenSource {
  const problems = read.problems.map(
    ({ line, column, message }) => `${path}:${line}:${column}: ${message}`,
  );
  try {
    const rewritten = rewriteText(text, read, options);
    return { text: rewritten.text, lines: linesOf(path, rewritten), problems };
  } catch (error) {
    if (!(error instanceof EditRefused)) throw error;
    problems.push(
      `${path}: left alone, since an edit would change more than references: ${error.message}`,
    );
    return { text, lines: [], problems };
  }
}

function linesOf(file: string, { changed, left }: RewrittenText): readonly ReferenceLine[] {
  const lines = [
    ...changed.map(({ place, becomes, note }) => ({
      place,
      becomes,
      note,
      state: 'changes' as const,
    })),
    ...left.map(({ place, becomes, reason }) => ({
      place,
      becomes,
      note: reason,
      state: 'stays' as const,
    })),
  ];
  return lines
    .toSorted((a, b) => a.place.offset - b.place.offset)
    .map(({ place: { line, column, field, image }, becomes, note = null, state }) => ({
      file,
      line,
      column,
      field,
      image,
      becomes,
      state,
      note,
    }));
}
