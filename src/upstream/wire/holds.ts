import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import type { Clock } from '../../ports/clock.ts';

/** How long a host asked not to be asked, apart for each credential: one account's limit stops no other. */
export interface Holds {
  /** Milliseconds until the credential may be shown again; 0 when it is not held. Without one: of whichever is held longest. */
  heldMs(credentialKey?: string): number;
  /** Holds for `ms`, else for 1 s, doubling to 60 s with each hold in a row; answers how long it is held now. */
  hold(credentialKey: string, ms: number | undefined): number;
  /** An answer other than 429 came to what was sent at `sentAt` (monotonic ms): where that was after the last hold, the next one begins at 1 s again. */
  answered(credentialKey: string, sentAt: number): void;
  clear(): void;
}

const credentialsMax = 1000;
const firstMs = 1000;
const mostMs = 60_000;

interface Hold {
  until: number;
  /** When it was last held: answers to what was sent before say nothing of it. */
  heldAt: number;
  nextMs: number;
}

export function createHolds(clock: Clock): Holds {
  const holds = new LRUCache<string, Hold>(atMost(credentialsMax));
  const leftOf = (hold: Hold | undefined): number =>
    hold === undefined ? 0 : Math.max(hold.until - clock.elapsed(), 0);
  return {
    heldMs(credentialKey) {
      if (holds.size === 0) return 0;
      if (credentialKey !== undefined) return leftOf(holds.peek(credentialKey));
      return Math.max(...[...holds.values()].map(leftOf));
    },
    hold(credentialKey, ms) {
      const hold = holds.get(credentialKey) ?? { until: 0, heldAt: 0, nextMs: firstMs };
      holds.set(credentialKey, hold);
      hold.heldAt = clock.elapsed();
      const leftMs = leftOf(hold);
      if (ms === undefined && leftMs === 0) {
        hold.until = clock.elapsed() + hold.nextMs;
        hold.nextMs = Math.min(hold.nextMs * 2, mostMs);
      } else if (ms !== undefined && ms > leftMs) hold.until = clock.elapsed() + ms;
      return leftOf(hold);
    },
    answered(credentialKey, sentAt) {
      const hold = holds.size === 0 ? undefined : holds.peek(credentialKey);
      if (hold !== undefined && sentAt > hold.heldAt) hold.nextMs = firstMs;
    },
    clear: () => holds.clear(),
  };
}
