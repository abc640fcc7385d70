import { LRUCache } from 'lru-cache';
import { sourceOf } from '../../domain/names/client-source.ts';
import { atMost } from '../../coordination/memory-bound.ts';
import type { Clock } from '../../ports/clock.ts';

/**
 * Slows guessing. After ten failures in a minute a source (an IPv4 address, an IPv6 /64) waits for a second, and twice as long
 * after each further one, up to a minute. When a principal was failed for ten times, by whomever, each source that has failed for
 * it waits likewise before it tries that principal again: a source that has not is let through.
 */
export interface LoginThrottle {
  /** How long this source must wait before it tries this principal; 0: it may. `principal` undefined: none is named. */
  waitMs(address: string, principal: string | undefined): number;
  failed(address: string, principal: string | undefined): void;
}

interface Failures {
  readonly count: number;
  /** Monotonic ms. */
  readonly lastAt: number;
  readonly blockedUntil: number;
}

const freeFailures = 10;
const windowMs = 60_000;
const firstDelayMs = 1000;
const longestDelayMs = 60_000;
/** Entries of each memory. What is evicted is no longer slowed: guessing from more sources than this is slowed by principal alone. */
const rememberedMax = 10_000;
const nameCharactersMax = 128;

export function createLoginThrottle(clock: Clock): LoginThrottle {
  const sources = new LRUCache<string, Failures>(atMost(rememberedMax));
  const principals = new LRUCache<string, Failures>(atMost(rememberedMax));
  const pairs = new LRUCache<string, Failures>(atMost(rememberedMax));
  const waitOf = (failures: Failures | undefined): number =>
    Math.max(0, (failures?.blockedUntil ?? 0) - clock.elapsed());

  return {
    waitMs: (address, principal) => {
      const source = sourceOf(address);
      const wait = waitOf(sources.get(source));
      if (principal === undefined) return wait;
      return Math.max(wait, waitOf(pairs.get(pairOf(source, principal))));
    },
    failed: (address, principal) => {
      const now = clock.elapsed();
      const source = sourceOf(address);
      sources.set(source, next(sources.get(source), now));
      if (principal === undefined) return;
      const name = principal.slice(0, nameCharactersMax);
      const failures = next(principals.get(name), now);
      principals.set(name, failures);
      if (failures.blockedUntil > now) pairs.set(pairOf(source, principal), failures);
    },
  };
}

function next(before: Failures | undefined, now: number): Failures {
  const quietFor =
    before === undefined ? Infinity : now - Math.max(before.lastAt, before.blockedUntil);
  const count = quietFor > windowMs ? 1 : (before?.count ?? 0) + 1;
  const delay =
    count < freeFailures ? 0 : Math.min(longestDelayMs, firstDelayMs * 2 ** (count - freeFailures));
  return { count, lastAt: now, blockedUntil: now + delay };
}

function pairOf(source: string, principal: string): string {
  return `${source} ${principal.slice(0, nameCharactersMax)}`;
}
