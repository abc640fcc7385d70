// Lists of spans here are sorted and disjoint, and no span touches the next.
import type { ByteSpan } from './byte-source.ts';

/** How many bytes. */
export function spanLength(span: ByteSpan): number {
  return span.end - span.start + 1;
}

/** How many bytes the spans hold. */
export function bytesIn(spans: readonly ByteSpan[]): number {
  return spans.reduce((sum, span) => sum + spanLength(span), 0);
}

export function overlap(a: ByteSpan, b: ByteSpan): boolean {
  return a.start <= b.end && b.start <= a.end;
}

/** Enters `added` into the list itself, which others may be reading. */
export function addSpan(spans: ByteSpan[], added: ByteSpan): void {
  const last = spans.at(-1);
  // What arrives in order costs the same however many gaps there are.
  if (last !== undefined && added.start >= last.start && added.start <= last.end + 1) {
    spans[spans.length - 1] = { start: last.start, end: Math.max(last.end, added.end) };
    return;
  }
  const before = spans.filter(({ end }) => end + 1 < added.start);
  const after = spans.filter(({ start }) => start > added.end + 1);
  const touched = spans.slice(before.length, spans.length - after.length);
  const start = Math.min(added.start, touched[0]?.start ?? added.start);
  const end = Math.max(added.end, touched.at(-1)?.end ?? added.end);
  spans.splice(before.length, touched.length, { start, end });
}

/** The parts of `wanted` that the spans lack, in order. */
export function missingIn(spans: readonly ByteSpan[], wanted: ByteSpan): ByteSpan[] {
  const missing: ByteSpan[] = [];
  let position = wanted.start;
  for (const span of spans) {
    if (span.start > wanted.end) break;
    if (span.start > position) missing.push({ start: position, end: span.start - 1 });
    position = Math.max(position, span.end + 1);
  }
  if (position <= wanted.end) missing.push({ start: position, end: wanted.end });
  return missing;
}

/** What of the spans lies below `length`. */
export function clipSpans(spans: readonly ByteSpan[], length: number): ByteSpan[] {
  return spans
    .filter((span) => span.start < length)
    .map((span) => ({ start: span.start, end: Math.min(span.end, length - 1) }));
}

/** The first position from `position` on that is not in the list: bytes up to it, exclusive, read without a gap. */
export function contiguousUntil(spans: readonly ByteSpan[], position: number): number {
  const holder = spans.find(({ start, end }) => start <= position && position <= end);
  return holder === undefined ? position : holder.end + 1;
}
