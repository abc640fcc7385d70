import { addSpan, spanLength } from '../../domain/byte-range.ts';
import type { ByteSpan } from '../../domain/byte-source.ts';

/** Enters `added` into the list itself, which others hold as a live view. */
export function enterSpan(spans: ByteSpan[], added: ByteSpan): void {
  const last = spans.at(-1);
  // What arrives in order costs the same however many gaps there are.
  if (last !== undefined && added.start >= last.start && added.start <= last.end + 1) {
    spans[spans.length - 1] = { start: last.start, end: Math.max(last.end, added.end) };
    return;
  }
  spans.splice(0, spans.length, ...addSpan(spans, added));
}

/** The parts of `wanted` that the sorted, disjoint `spans` lack, in order. */
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

/** What of `spans` lies below `length`. */
export function clipSpans(spans: readonly ByteSpan[], length: number): ByteSpan[] {
  return spans
    .filter((span) => span.start < length)
    .map((span) => ({ start: span.start, end: Math.min(span.end, length - 1) }));
}

export function overlap(a: ByteSpan, b: ByteSpan): boolean {
  return a.start <= b.end && b.start <= a.end;
}

/** How many bytes the spans hold. */
export function bytesIn(spans: readonly ByteSpan[]): number {
  return spans.reduce((sum, span) => sum + spanLength(span), 0);
}
