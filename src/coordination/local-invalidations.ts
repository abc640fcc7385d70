import type { Invalidation, Invalidations } from '../ports/invalidations.ts';

/** For the one process that uses its database. `onFailure` gets what a subscriber threw. */
export function createLocalInvalidations(onFailure: (error: unknown) => void): Invalidations {
  const listeners = new Set<(invalidation: Invalidation) => void>();
  return {
    note(invalidation) {
      for (const listener of listeners) {
        try {
          listener(invalidation);
        } catch (error) {
          onFailure(error);
        }
      }
    },
    subscribe(listener) {
      // One function that subscribes twice is two subscribers.
      const own = (invalidation: Invalidation): void => listener(invalidation);
      listeners.add(own);
      return { [Symbol.dispose]: () => void listeners.delete(own) };
    },
  };
}
