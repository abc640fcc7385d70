import { createFairMemory } from '../../coordination/fair-memory.ts';
import { ListsBusy } from '../../domain/lists-busy.ts';
import type { Clock } from '../../ports/clock.ts';

/** Lists of one host that are read at once: half of the small requests that it is sent at a time, so that manifests find room. */
const ofHostMax = 16;
const waitMs = 10_000;
/** What the lists that are being read have gathered, of all hosts together; those of one host have half of it. */
const gatheredBytesMax = 32 * 1024 * 1024;

/** Bounds how many lists an upstream is asked for at once, and how much they gather; a slow upstream holds up none of the others. */
export interface ListTurns {
  /**
   * Runs `read` when its turn comes. Throws `ListsBusy` where that takes longer than 10 s. `gather` is told of bytes that the list
   * keeps until it is read; it throws `ListsBusy` where there is no room for them.
   */
  run<T>(host: string, read: (gather: (bytes: number) => void) => Promise<T>): Promise<T>;
}

export function createListTurns(clock: Clock): ListTurns {
  const running = new Map<string, number>();
  const waiting = new Set<{ readonly host: string; readonly begin: () => void }>();
  const gathered = createFairMemory({
    maxBytes: gatheredBytesMax,
    now: () => clock.elapsed(),
    full: () => new ListsBusy(),
  });

  const mayBegin = (host: string): boolean => (running.get(host) ?? 0) < ofHostMax;
  const change = (host: string, by: 1 | -1): void => {
    const left = (running.get(host) ?? 0) + by;
    if (left === 0) running.delete(host);
    else running.set(host, left);
  };
  const settle = (): void => {
    for (const one of waiting) {
      if (!mayBegin(one.host)) continue;
      waiting.delete(one);
      change(one.host, 1);
      one.begin();
    }
  };
  const turn = async (host: string): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const one = { host, begin: resolve };
    waiting.add(one);
    using _late = clock.after(waitMs, () => {
      waiting.delete(one);
      reject(new ListsBusy());
    });
    await promise;
  };

  return {
    run: async (host, read) => {
      if (mayBegin(host)) change(host, 1);
      else await turn(host);
      try {
        let isCut = false;
        using holding = gathered.join(host, () => {
          isCut = true;
        });
        return await read((bytes) => {
          if (isCut) throw new ListsBusy();
          holding.add(bytes);
        });
      } finally {
        change(host, -1);
        settle();
      }
    },
  };
}
