import type { Clock } from '../ports/clock.ts';
import type { Lease, Leases } from '../ports/leases.ts';

/** For the one process that uses its database: names and fences begin anew with it. */
export function createLocalLeases(clock: Clock): Leases {
  const inForce = new Set<string>();
  let fence = 0;
  return {
    take: async (name, forMs) => {
      if (inForce.has(name)) return undefined;
      inForce.add(name);
      fence += 1;
      return begin(clock, forMs, fence, () => inForce.delete(name));
    },
  };
}

function begin(clock: Clock, forMs: number, fence: number, onEnd: () => void): Lease {
  const lost = new AbortController();
  let ended = false;
  const expire = (): void => {
    ended = true;
    lost.abort(new Error('the lease has ended'));
    onEnd();
  };
  let expiry = clock.after(forMs, expire);
  return {
    fence,
    lost: lost.signal,
    renew: async () => {
      if (ended) return false;
      expiry[Symbol.dispose]();
      expiry = clock.after(forMs, expire);
      return true;
    },
    [Symbol.asyncDispose]: async () => {
      expiry[Symbol.dispose]();
      if (!ended) onEnd();
      ended = true;
    },
  };
}
