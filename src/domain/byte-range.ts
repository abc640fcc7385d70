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
