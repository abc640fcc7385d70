/** What a 206 says it holds: `bytes 0-99/1000` (RFC 9110 §14.4). */
export interface ContentRange {
  readonly start: number;
  readonly end: number;
  /** Absent for `*`. */
  readonly total: number | undefined;
}

/** `undefined` where the header is no single range of bytes, or contradicts itself. */
export function parseContentRange(text: string | undefined): ContentRange | undefined {
  const found = /^\s*bytes\s+(\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)\s*$/i.exec(text ?? '');
  if (found === null) return undefined;
  const start = Number(found[1]);
  const end = Number(found[2]);
  const total = found[3] === '*' ? undefined : Number(found[3]);
  const whole = [start, end, total ?? 0].every(Number.isSafeInteger);
  return whole && start <= end && (total === undefined || end < total)
    ? { start, end, total }
    : undefined;
}

/** Whether an answer is the one to a request for `start`…`end` (open end: to the last byte): not shifted, not shortened, not longer. */
export function answersRange(
  given: ContentRange,
  asked: { readonly start: number; readonly end?: number },
): boolean {
  if (given.start !== asked.start) return false;
  const last = given.total === undefined ? undefined : given.total - 1;
  if (asked.end === undefined) return last === undefined || given.end === last;
  return (
    given.end === asked.end || (given.end < asked.end && (last === undefined || given.end === last))
  );
}
