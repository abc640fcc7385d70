/**
 * How much a memory keeps: entries, bytes as `bytesOf` counts them (whole, at least 1 each), or both. Beyond it what was used
 * longest ago goes; what is larger than all of it is not kept.
 */
export type MemoryBound<Value> =
  | { readonly entriesMax: number }
  | {
      readonly bytesMax: number;
      readonly bytesOf: (value: Value, key: string) => number;
      readonly entriesMax?: number;
    };

/** What an `LRUCache` of lru-cache is given. */
export interface CacheLimits<Value> {
  readonly maxSize: number;
  readonly sizeCalculation: (value: Value, key: string) => number;
}

/** At most so many entries. The cache's own `max` would make arrays for all of them at once: megabytes of a server that holds nothing yet. */
export function atMost(entriesMax: number): CacheLimits<unknown> {
  return { maxSize: entriesMax, sizeCalculation: one };
}

/** The bound of a memory whose entries hold their value as `value`. */
export function limitsOf<Value, Entry extends { readonly value: Value }>(
  bound: MemoryBound<Value>,
): CacheLimits<Entry> {
  if (!('bytesMax' in bound)) return atMost(bound.entriesMax);
  const { bytesMax, bytesOf, entriesMax = bytesMax } = bound;
  // Each counts at least its share of the bytes, so that these bound the number too.
  const shareBytes = Math.ceil(bytesMax / entriesMax);
  return {
    maxSize: bytesMax,
    sizeCalculation: ({ value }, key) => Math.max(shareBytes, bytesOf(value, key)),
  };
}

function one(): number {
  return 1;
}
