import { lookup as lookupHost } from 'node:dns/promises';
import { LRUCache } from 'lru-cache';
import { Flights } from '../../coordination/flights.ts';
import { atMost } from '../../coordination/memory-bound.ts';
import { waitWithin } from '../../coordination/waiting.ts';
import type { Clock } from '../../ports/clock.ts';
import { deadlinesMs } from './deadlines.ts';

export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

/** All addresses of a name, in the order to try; throws where there is none. */
export type Lookup = (hostname: string) => Promise<readonly Address[]>;

export interface Resolver {
  /** One lookup per host at a time, 2 s; on a failure the last good addresses. Throws a system error with `code`. */
  resolve(hostname: string): Promise<readonly Address[]>;
  /** The last good addresses; empty where the host was never resolved. */
  known(hostname: string): readonly Address[];
}

const hostsMax = 1000;

/** The system's resolver. */
export const systemLookup: Lookup = async (hostname) =>
  (await lookupHost(hostname, { all: true })) as readonly Address[];

export function createResolver(lookup: Lookup, clock: Clock): Resolver {
  const good = new LRUCache<string, readonly Address[]>(atMost(hostsMax));
  const flights = new Flights<readonly Address[]>(clock);

  const look = async (hostname: string): Promise<readonly Address[]> => {
    const addresses = await lookup(hostname);
    if (addresses.length === 0) throw dnsError('ENOTFOUND', hostname);
    good.set(hostname, addresses);
    return addresses;
  };

  return {
    async resolve(hostname) {
      const { promise, startedAt } = flights.join(hostname, () => look(hostname));
      try {
        const found = await waitWithin(
          promise,
          startedAt + deadlinesMs.dns - clock.elapsed(),
          clock,
        );
        if (found === undefined) throw dnsError('EAI_AGAIN', hostname);
        return found;
      } catch (error) {
        const kept = good.get(hostname);
        if (kept !== undefined) return kept;
        throw error;
      }
    },
    known: (hostname) => good.get(hostname) ?? [],
  };
}

function dnsError(code: string, hostname: string): Error {
  return Object.assign(new Error(`lookup of ${hostname}: ${code}`), {
    code,
    syscall: 'getaddrinfo',
  });
}
