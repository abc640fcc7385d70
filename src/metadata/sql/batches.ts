/** Values of one statement at most. */
const batchMax = 128;

/** Slices each as long as a power of two: a statement over such a slice is one of few, and stays prepared. */
export function* batches<T>(values: readonly T[]): Generator<readonly T[]> {
  let length = batchMax;
  for (let from = 0; from < values.length; from += length) {
    while (length > values.length - from) length /= 2;
    yield values.slice(from, from + length);
  }
}
