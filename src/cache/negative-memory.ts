import { LRUCache } from 'lru-cache';
import { UpstreamFailure } from '../domain/upstream-failure.ts';
import type { Clock } from '../ports/clock.ts';

const entriesMax = 10_000;
const tagNotFoundMs = 5000;
const digestNotFoundMs = 60_000;
const deniedMs = 30_000;

/** Remembers for a short while that upstream said no, so that a loop of pulls costs it nothing (design.md §3, "Numbers and statuses"). */
export interface NegativeMemory {
  /** The failure remembered for the key, if it still holds. */
  get(key: string): UpstreamFailure | undefined;
  /** Remembers `notFound` and `denied` failures; others are never remembered here. */
  note(key: string, reference: 'tag' | 'digest', failure: unknown): void;
  forget(key: string): void;
  clear(): void;
}

export function createNegativeMemory(clock: Clock): NegativeMemory {
  const entries = new LRUCache<string, { failure: UpstreamFailure; until: number }>({
    max: entriesMax,
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
      const notFoundMs = reference === 'tag' ? tagNotFoundMs : digestNotFoundMs;
      const ms = failure.kind === 'denied' ? deniedMs : notFoundMs;
      entries.set(key, { failure, until: clock.elapsed() + ms });
    },
    forget: (key) => void entries.delete(key),
    clear: () => entries.clear(),
  };
}
