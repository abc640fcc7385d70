import { lookup as lookupHost } from 'node:dns/promises';
import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
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
  const flights = new Map<
    string,
    { readonly found: Promise<readonly Address[]>; readonly startedAt: number }
  >();

  const start = (
    hostname: string,
  ): { readonly found: Promise<readonly Address[]>; readonly startedAt: number } => {
    const found = (async () => {
      try {
        const addresses = await lookup(hostname);
        if (addresses.length === 0) throw dnsError('ENOTFOUND', hostname);
        good.set(hostname, addresses);
        return addresses;
      } finally {
        flights.delete(hostname);
      }
    })();
    found.catch(() => {});
    const flight = { found, startedAt: clock.elapsed() };
    flights.set(hostname, flight);
    return flight;
  };

  return {
    async resolve(hostname) {
      const flight = flights.get(hostname) ?? start(hostname);
      const leftMs = Math.max(deadlinesMs.dns - (clock.elapsed() - flight.startedAt), 0);
      const late = Promise.withResolvers<never>();
      using _timer = clock.after(leftMs, () => late.reject(dnsError('EAI_AGAIN', hostname)));
      try {
        return await Promise.race([flight.found, late.promise]);
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
