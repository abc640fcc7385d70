/** What an `LRUCache` is given so that it holds at most `entriesMax` entries. */
export interface EntryLimit {
  readonly maxSize: number;
  readonly sizeCalculation: () => number;
}

/** Its own `max` would make arrays for all of them at once: megabytes of a server that holds nothing yet. */
export function atMost(entriesMax: number): EntryLimit {
  return { maxSize: entriesMax, sizeCalculation: one };
}

function one(): number {
  return 1;
}
