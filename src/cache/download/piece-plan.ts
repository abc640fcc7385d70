import type { ByteSpan } from '../../domain/byte-source.ts';
import { addSpan, bytesIn, missingIn } from '../../domain/byte-spans.ts';

/** Which missing bytes of a blob are being fetched, and which should come next. One plan a download. */
export class PiecePlan {
  readonly #claimed = new Set<ByteSpan>();

  /** Claims the next missing bytes, `pieceBytes` at most, first where a reader waits; `undefined` when all is here or claimed. */
  claim(
    arrived: readonly ByteSpan[],
    size: number,
    pieceBytes: number,
    waiting: readonly number[],
  ): ByteSpan | undefined {
    const missing = this.#missing(arrived, size);
    for (const position of waiting.toSorted((a, b) => a - b)) {
      const gap = missing.find(({ end }) => end >= position);
      if (gap === undefined) continue;
      return this.#take({ start: Math.max(gap.start, position), end: gap.end }, pieceBytes);
    }
    return this.#take(missing[0], pieceBytes);
  }

  /** Claims the first missing stretch whole, whatever its length: for an upstream without ranges or a small blob. */
  claimRest(arrived: readonly ByteSpan[], size: number): ByteSpan | undefined {
    return this.#take(this.#missing(arrived, size)[0], Number.MAX_SAFE_INTEGER);
  }

  /** Bytes that are neither here nor claimed. */
  unclaimed(arrived: readonly ByteSpan[], size: number): number {
    return bytesIn(this.#missing(arrived, size));
  }

  /** Ends a claim, fetched or not. */
  release(span: ByteSpan): void {
    this.#claimed.delete(span);
  }

  #missing(arrived: readonly ByteSpan[], size: number): readonly ByteSpan[] {
    const taken = [...arrived];
    for (const span of this.#claimed) addSpan(taken, span);
    return missingIn(taken, { start: 0, end: size - 1 });
  }

  #take(gap: ByteSpan | undefined, bytesMax: number): ByteSpan | undefined {
    if (gap === undefined) return undefined;
    const span = { start: gap.start, end: Math.min(gap.end, gap.start + bytesMax - 1) };
    this.#claimed.add(span);
    return span;
  }
}
