/** A place in a lane; disposing it twice frees it once. */
export type Slot = Disposable;

export interface Lanes {
  /** Waits in order for one of `limit` places at this host; `waits` is told once if it has to. Throws the signal's reason. */
  enter(host: string, limit: number, waits: () => void, signal: AbortSignal): Promise<Slot>;
  /** `undefined` where it would have to wait, or where another waits already. */
  enterIfIdle(host: string, limit: number): Slot | undefined;
}

interface Waiter {
  readonly limit: number;
  admit(): void;
}

interface Lane {
  active: number;
  readonly waiters: Set<Waiter>;
}

/** Bounds how many requests of one sort a host sees at a time. */
export function createLanes(): Lanes {
  const lanes = new Map<string, Lane>();

  const laneOf = (host: string): Lane => {
    const lane = lanes.get(host) ?? { active: 0, waiters: new Set() };
    lanes.set(host, lane);
    return lane;
  };
  const settle = (host: string, lane: Lane): void => {
    for (const waiter of lane.waiters) {
      if (lane.active >= waiter.limit) break;
      lane.waiters.delete(waiter);
      waiter.admit();
    }
    if (lane.active === 0 && lane.waiters.size === 0) lanes.delete(host);
  };
  const take = (host: string, lane: Lane): Slot => {
    lane.active += 1;
    let freed = false;
    return {
      [Symbol.dispose]() {
        if (freed) return;
        freed = true;
        lane.active -= 1;
        settle(host, lane);
      },
    };
  };
  const enterIfIdle = (host: string, limit: number): Slot | undefined => {
    const lane = laneOf(host);
    return lane.waiters.size === 0 && lane.active < limit ? take(host, lane) : undefined;
  };

  return {
    enterIfIdle,
    enter(host, limit, waits, signal) {
      if (signal.aborted) return Promise.reject(signal.reason);
      const slot = enterIfIdle(host, limit);
      if (slot !== undefined) return Promise.resolve(slot);
      waits();
      const lane = laneOf(host);
      const admitted = Promise.withResolvers<Slot>();
      const leave = (): void => {
        lane.waiters.delete(waiter);
        settle(host, lane);
        admitted.reject(signal.reason);
      };
      const waiter: Waiter = {
        limit,
        admit() {
          signal.removeEventListener('abort', leave);
          admitted.resolve(take(host, lane));
        },
      };
      lane.waiters.add(waiter);
      signal.addEventListener('abort', leave, { once: true });
      return admitted.promise;
    },
  };
}
