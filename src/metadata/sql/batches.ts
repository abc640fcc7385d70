/**
 * Slices of at most `max`, a power of two, each as long as a power of two: a statement over such a slice is one of few, and stays
 * prepared.
 */
export function* batches<T>(values: readonly T[], max = 128): Generator<readonly T[]> {
  let length = max;
  for (let from = 0; from < values.length; from += length) {
    while (length > values.length - from) length /= 2;
    yield values.slice(from, from + length);
  }
}
