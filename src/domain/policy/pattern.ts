import { any, matchesPattern, wildcardCodeAt } from '../wildcard.ts';
import type { PatternCodes } from '../wildcard.ts';

/** The values of a condition key, given in lower case; `undefined` where the question has none. Never an empty list. */
export type KeyValues = (key: string) => readonly string[] | undefined;

/** A text of a policy in which wildcards and variables have been found. */
export interface PolicyPattern {
  /** The codes, where no variable stands in it. */
  readonly constant: PatternCodes | undefined;
  readonly pieces: readonly PatternPiece[];
}

export interface PatternVariable {
  /** Lower case. */
  readonly key: string;
  readonly fallback: string | undefined;
}

type PatternPiece = PatternCodes | PatternVariable;

const colon = 58;

/** With its values put in. No value of a request is as long: a longer pattern matches nothing. */
const resolvedCodesMax = 16_384;

/** `${*}`, `${?}`, `${$}`, `${aws:username}`, `${aws:PrincipalTag/team, 'none'}`. */
const variable = /\$\{(?:([*?$])|([^{}$*?,'\s]{1,128})(?:\s*,\s*'([^'{}]{0,256})')?)\}/y;

/** Reads a text: `*` and `?` as wildcards where there are such, `${…}` as variables where the policy's version has them. */
export function parsePattern(
  text: string,
  options: { readonly wildcards: boolean; readonly variables: boolean },
): PolicyPattern {
  const pieces: PatternPiece[] = [];
  let codes: number[] = [];
  let at = 0;
  while (at < text.length) {
    const found = options.variables ? variableAt(text, at) : undefined;
    if (found !== undefined) {
      if (found.escaped !== undefined) codes.push(found.escaped.charCodeAt(0));
      else {
        pieces.push(codes, found.variable);
        codes = [];
      }
      at = found.end;
      continue;
    }
    codes.push(options.wildcards ? wildcardCodeAt(text, at) : text.charCodeAt(at));
    at += 1;
  }
  if (pieces.length === 0) return { constant: codes, pieces: [codes] };
  return { constant: undefined, pieces: [...pieces, codes] };
}

/** What is wrong with the variables of a text, or `undefined`. */
export function variableProblem(text: string): string | undefined {
  let at = text.indexOf('${');
  while (at >= 0) {
    const found = variableAt(text, at);
    if (found === undefined) return text.slice(at, at + 40);
    at = text.indexOf('${', found.end);
  }
  return undefined;
}

/** The keys without which a pattern has no meaning. */
export function neededKeys(pattern: PolicyPattern): readonly string[] {
  return pattern.pieces.flatMap((piece) =>
    'key' in piece && piece.fallback === undefined ? [piece.key] : [],
  );
}

/** The pattern for one question; `undefined` where a variable has no value, or several, or it gets too long: it then matches nothing. */
export function resolvePattern(
  pattern: PolicyPattern,
  values: KeyValues,
): PatternCodes | undefined {
  if (pattern.constant !== undefined) return pattern.constant;
  const codes: number[] = [];
  for (const piece of pattern.pieces) {
    if (!('key' in piece)) {
      codes.push(...piece);
      continue;
    }
    const held = values(piece.key);
    const value = held === undefined ? piece.fallback : held.length === 1 ? held[0] : undefined;
    if (value === undefined || codes.length + value.length > resolvedCodesMax) return undefined;
    for (let at = 0; at < value.length; at += 1) codes.push(value.charCodeAt(at));
  }
  return codes;
}

/** The text that codes without a wildcard are. */
export function textOf(codes: PatternCodes): string {
  let text = '';
  for (const code of codes) text += String.fromCharCode(code);
  return text;
}

/** The parts between colons; the last of `most` keeps its own. */
export function splitAtColons(
  codes: PatternCodes,
  most: number = Infinity,
): readonly PatternCodes[] {
  const segments: number[][] = [[]];
  for (const code of codes) {
    if (code === colon && segments.length < most) segments.push([]);
    else segments.at(-1)?.push(code);
  }
  return segments;
}

/**
 * Whether the segments of a resource match, as IAM has it: a wildcard stays within its segment, slashes being nothing special, and only
 * a `*` that ends a segment reaches over the following colons (`*`, `arn:aws:ecr:*`).
 */
export function matchesSegments(
  patterns: readonly PatternCodes[],
  segments: readonly string[],
): boolean {
  let reached: readonly boolean[] = [true];
  for (const pattern of patterns) {
    const reachesOver = pattern.at(-1) === any;
    const next: boolean[] = [];
    // From the first segment that matches, a `*` at the end reaches all that follow.
    let open = false;
    for (const [from, segment] of segments.entries()) {
      if (reached[from] === true && !(open && reachesOver) && matchesPattern(pattern, segment)) {
        next[from + 1] = true;
        open ||= reachesOver;
      }
      if (open) next[from + 1] = true;
    }
    if (next.length === 0) return false;
    reached = next;
  }
  return reached[segments.length] === true;
}

function variableAt(
  text: string,
  at: number,
):
  | { readonly end: number; readonly escaped: string }
  | { readonly end: number; readonly escaped: undefined; readonly variable: PatternVariable }
  | undefined {
  if (text[at] !== '$' || text[at + 1] !== '{') return undefined;
  variable.lastIndex = at;
  const match = variable.exec(text);
  if (match === null) return undefined;
  const end = at + match[0].length;
  const [, escaped, key = '', fallback] = match;
  if (escaped !== undefined) return { end, escaped };
  return { end, escaped: undefined, variable: { key: key.toLowerCase(), fallback } };
}
