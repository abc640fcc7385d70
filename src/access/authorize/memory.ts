import { LRUCache } from 'lru-cache';
import type { Clock } from '../../ports/clock.ts';

export interface MemoryOptions<Value> {
  readonly entriesMax: number;
  /** Of all values that are kept, by `sizeOf`. */
  readonly sizeMax: number;
  readonly sizeOf: (value: Value) => number;
  /** How long what was read is believed. */
  readonly believeMs: number;
  readonly clock: Clock;
  readonly read: (key: string) => Promise<Value>;
  /** Whether a value may be kept; one that may not is read each time. */
  readonly keeps?: (key: string, value: Value) => boolean;
}

/** Rows that decisions need, kept for a while; one read at a time for each. */
export interface Memory<Value> {
  /** At once where the value is believed. */
  get(key: string): Value | Promise<Value>;
  /** What is being read at this moment is not kept either: the change may be younger. */
  forget(key: string): void;
  clear(): void;
}

export function createMemory<Value>(options: MemoryOptions<Value>): Memory<Value> {
  const { clock, believeMs, keeps = () => true } = options;
  // Each counts at least its share of the size, so that the size bounds their number too: `max` would make room for all at once.
  const shareMin = Math.ceil(options.sizeMax / options.entriesMax);
  const kept = new LRUCache<string, { readonly value: Value; readonly readAt: number }>({
    maxSize: options.sizeMax,
    sizeCalculation: ({ value }) => Math.max(shareMin, options.sizeOf(value)),
  });
  const reading = new Map<string, Promise<Value>>();

  const read = (key: string): Promise<Value> => {
    const readAt = clock.elapsed();
    const reads = options.read(key).then(
      (value) => {
        if (reading.get(key) === reads) {
          reading.delete(key);
          if (keeps(key, value)) kept.set(key, { value, readAt });
        }
        return value;
      },
      (error: unknown) => {
        if (reading.get(key) === reads) reading.delete(key);
        throw error;
      },
    );
    reading.set(key, reads);
    return reads;
  };
  return {
    get(key) {
      const known = kept.get(key);
      if (known !== undefined && clock.elapsed() - known.readAt < believeMs) return known.value;
      return reading.get(key) ?? read(key);
    },
    forget(key) {
      kept.delete(key);
      reading.delete(key);
    },
    clear() {
      kept.clear();
      reading.clear();
    },
  };
}
