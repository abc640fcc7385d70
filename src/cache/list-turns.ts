import { RegistryError } from '../domain/errors.ts';
import type { Clock } from '../ports/clock.ts';

/** Lists that are read at once, in all and from one host: each may take some 64 MiB until it is read and parsed. */
const atOnceMax = 8;
const ofHostMax = 2;
const waitMs = 10_000;

/** No turn came in time: upstream was not asked. */
export class ListsBusy extends RegistryError {
  override readonly name = 'ListsBusy';

  constructor() {
    super('unavailable', 'too many lists are being read', { retryAfterMs: 1000 });
  }
}

/** Bounds how many upstream lists are in memory while they are read. */
export interface ListTurns {
  /** Runs `read` when its turn comes. Throws `ListsBusy` where that takes longer than 10 s. */
  run<T>(host: string, read: () => Promise<T>): Promise<T>;
}

export function createListTurns(clock: Clock): ListTurns {
  const running = new Map<string, number>();
  const waiting = new Set<{ readonly host: string; readonly begin: () => void }>();
  let all = 0;

  const mayBegin = (host: string): boolean =>
    all < atOnceMax && (running.get(host) ?? 0) < ofHostMax;
  const change = (host: string, by: 1 | -1): void => {
    all += by;
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
        return await read();
      } finally {
        change(host, -1);
        settle();
      }
    },
  };
}
