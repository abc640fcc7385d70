import type { Applicant, Seeker } from './lane-order.ts';
import { nextTurn } from './lane-order.ts';

/** A place in a lane; disposing it twice frees it once. */
export type Slot = Disposable;

/** Takes places that nobody waits for. Its answers may change at any time; `reconsider` makes the lane read them again. */
export interface SlotTaker extends Seeker {
  /** Its own from now on. Must lower `load`, or the next place is its own too. */
  take(slot: Slot): void;
}

export interface Entry extends Applicant {
  /** Told once if it has to wait. */
  waits(): void;
}

interface Waiter {
  readonly entry: Entry;
  admit(): void;
}

interface Lane {
  readonly host: string;
  active: number;
  readonly waiters: Set<Waiter>;
  readonly takers: Set<SlotTaker>;
  settling: boolean;
}

/** Bounds how many requests of one sort a host sees at a time. */
export class Lanes {
  readonly #lanes = new Map<string, Lane>();

  /** Waits for a place at this host, in the order of `nextTurn`. Throws the signal's reason. */
  enter(host: string, entry: Entry, signal: AbortSignal): Promise<Slot> {
    if (signal.aborted) return Promise.reject(signal.reason);
    const lane = this.#laneOf(host);
    const admitted = Promise.withResolvers<Slot>();
    const leave = (): void => {
      lane.waiters.delete(waiter);
      this.#settle(lane);
      admitted.reject(signal.reason);
    };
    const waiter: Waiter = {
      entry,
      admit: () => {
        lane.waiters.delete(waiter);
        signal.removeEventListener('abort', leave);
        admitted.resolve(this.#take(lane));
      },
    };
    lane.waiters.add(waiter);
    signal.addEventListener('abort', leave, { once: true });
    this.#settle(lane);
    if (lane.waiters.has(waiter)) entry.waits();
    return admitted.promise;
  }

  /** Gives the taker places as they become idle, now and until it is disposed. */
  offer(host: string, taker: SlotTaker): Disposable {
    const lane = this.#laneOf(host);
    lane.takers.add(taker);
    this.#settle(lane);
    return {
      [Symbol.dispose]: () => {
        lane.takers.delete(taker);
        this.#settle(lane);
      },
    };
  }

  /** Who waits for what has changed. */
  reconsider(host: string): void {
    const lane = this.#lanes.get(host);
    if (lane !== undefined) this.#settle(lane);
  }

  #laneOf(host: string): Lane {
    let lane = this.#lanes.get(host);
    if (lane === undefined) {
      lane = { host, active: 0, waiters: new Set(), takers: new Set(), settling: false };
      this.#lanes.set(host, lane);
    }
    return lane;
  }

  /** Gives out what is free. A taker may give its place back at once, so that the lane changes meanwhile. */
  #settle(lane: Lane): void {
    if (lane.settling) return;
    lane.settling = true;
    try {
      for (;;) {
        const waiters = [...lane.waiters];
        const takers = [...lane.takers];
        const turn = nextTurn({
          active: lane.active,
          waiters: waiters.map((one) => one.entry),
          seekers: takers,
        });
        if (turn === undefined) break;
        if ('waiter' in turn) waiters[turn.waiter]?.admit();
        else takers[turn.seeker]?.take(this.#take(lane));
      }
    } finally {
      lane.settling = false;
    }
    const empty = lane.active === 0 && lane.waiters.size === 0 && lane.takers.size === 0;
    if (empty && this.#lanes.get(lane.host) === lane) this.#lanes.delete(lane.host);
  }

  #take(lane: Lane): Slot {
    lane.active += 1;
    let freed = false;
    return {
      [Symbol.dispose]: () => {
        if (freed) return;
        freed = true;
        lane.active -= 1;
        this.#settle(lane);
      },
    };
  }
}
