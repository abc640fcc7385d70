import { LRUCache } from 'lru-cache';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Clock } from '../../ports/clock.ts';
import { sizeOfFailure, sizeOfKey } from './memory-size.ts';

/** Names and what upstreams say differ in length. */
const bytesMax = 32 * 1024 * 1024;
const tagNotFoundMs = 5000;
const digestNotFoundMs = 60_000;
/** What a stored manifest names is there, or on its way: a registry that copies is seconds behind itself. */
const namedNotFoundMs = 5000;
const deniedMs = 30_000;

export type NegativeReference = 'tag' | 'digest' | 'named';

const notFoundMs: Readonly<Record<NegativeReference, number>> = {
  tag: tagNotFoundMs,
  digest: digestNotFoundMs,
  named: namedNotFoundMs,
};

/** Remembers for a short while that upstream said no, so that a loop of pulls costs it nothing (ARCHITECTURE.md, "Numbers and statuses"). */
export interface NegativeMemory {
  /** The failure remembered for the key, if it still holds. */
  get(key: string): UpstreamFailure | undefined;
  /** Remembers `notFound` and `denied` failures; others are never remembered here. `named`: a digest that a stored manifest of the repository names. */
  note(key: string, reference: NegativeReference, failure: unknown): void;
  /** For how long what is remembered for the key holds; 0 where nothing is. */
  restMs(key: string): number;
  forget(key: string): void;
  clear(): void;
}

export function createNegativeMemory(clock: Clock): NegativeMemory {
  const entries = new LRUCache<string, { failure: UpstreamFailure; until: number }>({
    maxSize: bytesMax,
    sizeCalculation: ({ failure }, key) => sizeOfKey(key) + sizeOfFailure(failure),
  });
  return {
    get: (key) => {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      if (entry.until > clock.elapsed()) return entry.failure;
      entries.delete(key);
      return undefined;
    },
    note: (key, reference, failure) => {
      if (!(failure instanceof UpstreamFailure)) return;
      if (failure.kind !== 'notFound' && failure.kind !== 'denied') return;
      const ms = failure.kind === 'denied' ? deniedMs : notFoundMs[reference];
      entries.set(key, { failure, until: clock.elapsed() + ms });
    },
    restMs: (key) => Math.max(0, (entries.get(key)?.until ?? 0) - clock.elapsed()),
    forget: (key) => void entries.delete(key),
    clear: () => entries.clear(),
  };
}
