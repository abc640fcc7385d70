/** Hashed, searched, copied or decoded by all together in one turn of the event loop: some 0.2 ms. */
const bytesPerTurn = 256 * 1024;

/** So few are not counted. */
const uncountedBytes = 8 * 1024;

interface Waiter {
  readonly bytes: number;
  readonly begin: () => void;
}

const waiting: Waiter[] = [];
let left = bytesPerTurn;
let isScheduled = false;

/**
 * Asked before so many bytes are worked on, so that what else comes in is served between. `undefined`: now; else resolves in the turn of
 * the event loop that has room for it, in the order of asking. The thread has one event loop, and so one share for all that asks.
 */
export function turnFor(bytes: number): Promise<void> | undefined {
  if (bytes <= uncountedBytes) return undefined;
  schedule();
  if (left > 0 && waiting.length === 0) {
    left -= bytes;
    return undefined;
  }
  return new Promise((begin) => waiting.push({ bytes, begin }));
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(beginTurn);
}

function beginTurn(): void {
  isScheduled = false;
  left = bytesPerTurn;
  if (waiting.length === 0) return;
  let begun = 0;
  for (const { bytes, begin } of waiting) {
    if (left <= 0) break;
    left -= bytes;
    begun += 1;
    begin();
  }
  waiting.splice(0, begun);
  schedule();
}
