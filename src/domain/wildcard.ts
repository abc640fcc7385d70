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

/**
 * Whether a text matches. The parts between two `*` are looked for one after the other, each from where the one before ended: by
 * `indexOf`, or 32 places at a time where there is a `?` in it. A text of n characters costs n, or n²/64 at worst, however long the
 * pattern is, since a pattern that needs more characters than there are is not looked at.
 */
export function matchesPattern(codes: PatternCodes, text: string): boolean {
  if (isLonger(codes, text.length)) return false;
  const parts = partsOf(codes);
  const points = hasPairs(text) ? Array.from(text, (letter) => letter.codePointAt(0) ?? 0) : text;
  if (parts.least > points.length) return false;
  const { head, middle, tail } = parts;
  if (tail === undefined) return head.length === points.length && standsAt(head, points, 0);
  const end = points.length - tail.length;
  if (!standsAt(head, points, 0) || !standsAt(tail, points, end)) return false;
  let from = head.length;
  for (const part of middle) {
    const at = find(part, points, from, end);
    if (at < 0) return false;
    from = at + part.length;
  }
  return true;
}

function isLonger(codes: PatternCodes, length: number): boolean {
  if (codes.length <= length) return false;
  let least = 0;
  for (const code of codes) if (code !== any && (least += 1) > length) return true;
  return false;
}

/** A text by its characters: itself where each is one code unit. */
type Points = string | readonly number[];

interface Parts {
  readonly head: PatternCodes;
  readonly middle: readonly PatternCodes[];
  /** Absent where there is no `*`: the head is all. */
  readonly tail: PatternCodes | undefined;
  /** The characters that it takes at least. */
  readonly least: number;
}

/** Split at the stars, by characters: two surrogates of the pattern are one. */
function partsOf(codes: PatternCodes): Parts {
  const firstStar = codes.indexOf(any);
  if (firstStar < 0) {
    const head = joinPairs(codes);
    return { head, middle: [], tail: undefined, least: head.length };
  }
  const head = joinPairs(codes.slice(0, firstStar));
  const middle: PatternCodes[] = [];
  let least = head.length;
  let from = firstStar + 1;
  for (let star = codes.indexOf(any, from); star >= 0; star = codes.indexOf(any, from)) {
    if (star > from) {
      const part = joinPairs(codes.slice(from, star));
      middle.push(part);
      least += part.length;
    }
    from = star + 1;
  }
  const tail = joinPairs(codes.slice(from));
  return { head, middle, tail, least: least + tail.length };
}

function joinPairs(codes: PatternCodes): PatternCodes {
  if (!codes.some(isHigh)) return codes;
  const points: number[] = [];
  for (const code of codes) {
    const last = points.at(-1) ?? 0;
    if (isHigh(last) && code >= 0xdc00 && code <= 0xdfff)
      points[points.length - 1] = (last - 0xd800) * 0x400 + (code - 0xdc00) + 0x10000;
    else points.push(code);
  }
  return points;
}

function isHigh(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function hasPairs(text: string): boolean {
  return /[\ud800-\udbff]/.test(text);
}

function pointAt(points: Points, at: number): number {
  return typeof points === 'string' ? points.charCodeAt(at) : (points[at] ?? 0);
}

function standsAt(part: PatternCodes, points: Points, from: number): boolean {
  for (let at = 0; at < part.length; at += 1) {
    if (part[at] !== one && part[at] !== pointAt(points, from + at)) return false;
  }
  return true;
}

/** Where a part stands first, within `from` and `end`; -1: nowhere. */
function find(part: PatternCodes, points: Points, from: number, end: number): number {
  if (part.length > end - from) return -1;
  if (typeof points !== 'string' || part.includes(one)) return findByBits(part, points, from, end);
  const at = points.indexOf(String.fromCharCode(...part), from);
  return at >= 0 && at + part.length <= end ? at : -1;
}

/** Shift-And: bit k of the state says that the first k + 1 characters of the part end here. */
function findByBits(part: PatternCodes, points: Points, from: number, end: number): number {
  const words = Math.ceil(part.length / 32);
  const rows = rowsOf(part);
  // One row of words a character of the part; row 0 is any other character's.
  const places = new Int32Array((rows.size + 1) * words);
  const anywhere = new Int32Array(words);
  for (let at = 0; at < part.length; at += 1) {
    const code = part[at] ?? 0;
    const bits = code === one ? anywhere : places;
    const word = (code === one ? 0 : (rows.get(code) ?? 0) * words) + (at >> 5);
    bits[word] = (bits[word] ?? 0) | (1 << (at & 31));
  }
  const state = new Int32Array(words);
  const lastBit = 1 << ((part.length - 1) & 31);
  for (let at = from; at < end; at += 1) {
    advance(state, anywhere, places, (rows.get(pointAt(points, at)) ?? 0) * words);
    if (((state[words - 1] ?? 0) & lastBit) !== 0) return at + 1 - part.length;
  }
  return -1;
}

/** A number, from 1, for each character of a part. */
function rowsOf(part: PatternCodes): ReadonlyMap<number, number> {
  const rows = new Map<number, number>();
  for (const code of part) if (code !== one && !rows.has(code)) rows.set(code, rows.size + 1);
  return rows;
}

function advance(state: Int32Array, anywhere: Int32Array, places: Int32Array, row: number): void {
  let carry = 1;
  for (let word = 0; word < state.length; word += 1) {
    const before = state[word] ?? 0;
    state[word] = ((before << 1) | carry) & ((anywhere[word] ?? 0) | (places[row + word] ?? 0));
    carry = before >>> 31;
  }
}
