import type { ByteSpan } from '../../domain/byte-source.ts';

/** Which bytes are being fetched by whom, and which should come next. Pure bookkeeping; one plan a download. */
export interface PiecePlan {
  /** Claims the next missing bytes, `pieceBytes` at most, first where a reader waits; `undefined` when all is here or claimed. */
  claim(
    arrived: readonly ByteSpan[],
    size: number,
    pieceBytes: number,
    waiting: Iterable<number>,
  ): ByteSpan | undefined;
  /** Claims the first missing stretch whole, whatever its length: for an upstream without ranges or a small blob. */
  claimRest(arrived: readonly ByteSpan[], size: number): ByteSpan | undefined;
  /** Bytes that are neither here nor claimed. */
  unclaimed(arrived: readonly ByteSpan[], size: number): number;
  /** Ends a claim, fetched or not. */
  release(span: ByteSpan): void;
}

export function createPiecePlan(): PiecePlan {
  const claimed = new Set<ByteSpan>();

  function missingFrom(
    arrived: readonly ByteSpan[],
    from: number,
    size: number,
  ): ByteSpan | undefined {
    const taken = [...arrived, ...claimed].toSorted((a, b) => a.start - b.start);
    let start = from;
    for (const span of taken) {
      if (span.end < start) continue;
      if (span.start > start) return { start, end: Math.min(span.start, size) - 1 };
      start = span.end + 1;
    }
    return start < size ? { start, end: size - 1 } : undefined;
  }

  function take(gap: ByteSpan | undefined, bytesMax: number): ByteSpan | undefined {
    if (gap === undefined) return undefined;
    const span = { start: gap.start, end: Math.min(gap.end, gap.start + bytesMax - 1) };
    claimed.add(span);
    return span;
  }

  return {
    claim: (arrived, size, pieceBytes, waiting) => {
      for (const position of [...waiting].toSorted((a, b) => a - b)) {
        const gap = missingFrom(arrived, position, size);
        if (gap !== undefined) return take(gap, pieceBytes);
      }
      return take(missingFrom(arrived, 0, size), pieceBytes);
    },
    claimRest: (arrived, size) => take(missingFrom(arrived, 0, size), Number.MAX_SAFE_INTEGER),
    unclaimed: (arrived, size) => {
      let bytes = 0;
      for (let gap = missingFrom(arrived, 0, size); gap !== undefined;) {
        bytes += gap.end - gap.start + 1;
        gap = missingFrom(arrived, gap.end + 1, size);
      }
      return bytes;
    },
    release: (span) => void claimed.delete(span),
  };
}

export function bytesOf(spans: readonly ByteSpan[]): number {
  let bytes = 0;
  for (const span of spans) bytes += span.end - span.start + 1;
  return bytes;
}
