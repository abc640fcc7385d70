import type { Timer } from '../timer.ts';

/** From this size on memory comes from the system for itself, and goes back to it. */
export const blockBytes: number = 128 * 1024;

/** Blocks that nobody needed for so long are freed. */
export const idleBlockMs = 10_000;

/**
 * Memory for bodies that are whole in it, used again and again: to V8 each new long body would be a reason to collect the whole heap,
 * which takes 20 ms and more on one core. How much is in use at once is bounded by who takes it.
 */
export class BodyBlocks {
  readonly #timer: Timer;
  readonly #free: Uint8Array[] = [];
  /** So many were free all the time since the last look. */
  #idle = 0;
  #isWatched = false;

  constructor(timer: Timer) {
    this.#timer = timer;
  }

  get freeBytes(): number {
    return this.#free.length * blockBytes;
  }

  take(): Uint8Array {
    const block = this.#free.pop() ?? Buffer.allocUnsafeSlow(blockBytes);
    this.#idle = Math.min(this.#idle, this.#free.length);
    return block;
  }

  /** Once, when nobody uses it any more. */
  giveBack(block: Uint8Array): void {
    this.#free.push(block);
    this.#watch();
  }

  #watch(): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    this.#timer.after(idleBlockMs, () => {
      this.#isWatched = false;
      for (const { buffer } of this.#free.splice(0, this.#idle))
        if (buffer instanceof ArrayBuffer) buffer.transfer(0);
      this.#idle = this.#free.length;
      if (this.#idle > 0) this.#watch();
    });
  }
}
