import type { ByteSpan } from './byte-source.ts';

/** What a Range header asks of a body of known size. */
export type RangeRequest =
  | { readonly kind: 'whole' }
  | { readonly kind: 'span'; readonly span: ByteSpan }
  | { readonly kind: 'unsatisfiable' };

const whole: RangeRequest = { kind: 'whole' };
const unsatisfiable: RangeRequest = { kind: 'unsatisfiable' };
const singleRange = /^bytes[ \t]*=[ \t]*(\d*)-(\d*)[ \t]*$/i;

/**
 * One byte range (RFC 9110 §14.1.2). Several ranges, another unit and a malformed value are ignored, as §14.2 allows; one that ends
 * before it begins is refused, as it allows too.
 * An empty body has no span to send: from 0 on it is the whole.
 */
export function parseRange(header: string | undefined, size: number): RangeRequest {
  const match = header === undefined ? null : singleRange.exec(header);
  if (match === null) return whole;
  const [, first = '', last = ''] = match;
  if (first === '') {
    if (last === '') return whole;
    const length = Number(last);
    if (length === 0) return unsatisfiable;
    return size === 0
      ? whole
      : { kind: 'span', span: { start: Math.max(0, size - length), end: size - 1 } };
  }
  const start = Number(first);
  const end = last === '' ? Number.POSITIVE_INFINITY : Number(last);
  if (end < start) return unsatisfiable;
  if (start >= size) return size === 0 && start === 0 ? whole : unsatisfiable;
  return { kind: 'span', span: { start, end: Math.min(end, size - 1) } };
}

/** `bytes 0-9/100`; without a span, of a 416, an asterisk stands for it. */
export function formatContentRange(span: ByteSpan | undefined, total: number | undefined): string {
  const part = span === undefined ? '*' : `${span.start}-${span.end}`;
  return `bytes ${part}/${total ?? '*'}`;
}

/** How many bytes. */
export function spanLength(span: ByteSpan): number {
  return span.end - span.start + 1;
}

/** Adds to a sorted list of disjoint spans, none touching another; answers such a list. */
export function addSpan(spans: readonly ByteSpan[], added: ByteSpan): readonly ByteSpan[] {
  const before = spans.filter(({ end }) => end + 1 < added.start);
  const after = spans.filter(({ start }) => start > added.end + 1);
  const touched = spans.slice(before.length, spans.length - after.length);
  const start = Math.min(added.start, touched[0]?.start ?? added.start);
  const end = Math.max(added.end, touched.at(-1)?.end ?? added.end);
  return [...before, { start, end }, ...after];
}

/** The first position from `position` on that is not in the list: bytes up to it, exclusive, read without a gap. */
export function contiguousUntil(spans: readonly ByteSpan[], position: number): number {
  const holder = spans.find(({ start, end }) => start <= position && position <= end);
  return holder === undefined ? position : holder.end + 1;
}
