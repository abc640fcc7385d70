import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import type { Clock } from '../../ports/clock.ts';

const credentialsMax = 1000;
const firstMs = 1000;
const mostMs = 60_000;

interface Hold {
  until: number;
  /** When it was last held: answers to what was sent before say nothing of it. */
  heldAt: number;
  nextMs: number;
}

/** How long a host asked not to be asked, apart for each credential: one account's limit stops no other. */
export class Holds {
  readonly #clock: Clock;
  readonly #holds = new LRUCache<string, Hold>(atMost(credentialsMax));

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds until the credential may be shown again; 0 when it is not held. Without one: of whichever is held longest. */
  heldMs(credentialKey?: string): number {
    if (this.#holds.size === 0) return 0;
    if (credentialKey !== undefined) return this.#leftOf(this.#holds.peek(credentialKey));
    return Math.max(...[...this.#holds.values()].map((hold) => this.#leftOf(hold)));
  }

  /** Holds for `ms`, else for 1 s, doubling to 60 s with each hold in a row; answers how long it is held now. */
  hold(credentialKey: string, ms: number | undefined): number {
    const now = this.#clock.elapsed();
    const hold = this.#holds.get(credentialKey) ?? { until: 0, heldAt: 0, nextMs: firstMs };
    this.#holds.set(credentialKey, hold);
    hold.heldAt = now;
    const leftMs = this.#leftOf(hold);
    if (ms === undefined && leftMs === 0) {
      hold.until = now + hold.nextMs;
      hold.nextMs = Math.min(hold.nextMs * 2, mostMs);
    } else if (ms !== undefined && ms > leftMs) hold.until = now + ms;
    return this.#leftOf(hold);
  }

  /** An answer other than 429 came to what was sent at `sentAt` (monotonic ms): where that was after the last hold, the next one begins at 1 s again. */
  answered(credentialKey: string, sentAt: number): void {
    const hold = this.#holds.size === 0 ? undefined : this.#holds.peek(credentialKey);
    if (hold !== undefined && sentAt > hold.heldAt) hold.nextMs = firstMs;
  }

  clear(): void {
    this.#holds.clear();
  }

  #leftOf(hold: Hold | undefined): number {
    return hold === undefined ? 0 : Math.max(hold.until - this.#clock.elapsed(), 0);
  }
}
