import { sourceOf } from '../../domain/names/client-source.ts';
import { bufferBytesMin, createReadBuffers } from './buffers.ts';
import type { ReadBuffer, ReadBuffers } from './buffers.ts';
import type { Timer } from '../timer.ts';

/** A body that has more than its part, and whose client has taken nothing of it for so long, is cut where others wait … */
const stalledMs = 3000;
/** … one that has no more than its part only after this: a client on a crowded line, or one that is busy. */
const stalledFairMs = 15_000;
/** While more of the budget is in use, nobody gets a second buffer; for a steady body what standing writes hold is left out. */
const secondsShare = 3 / 8;
/** Of the budget, for steady bodies beyond what their clients may have, shared out as that is. */
const steadyShare = 1 / 16;
/** A write that takes so long stands: nobody knows when its buffer comes back. */
const standingMs = 1000;
/** How old the sum of what they hold may be. */
const standingAgeMs = 500;
/** How long others wait in vain before anyone is cut. */
const patienceMs = 500;

/** A body as the buffers see it. */
export interface BufferHolder {
  /** Monotonic ms since when a write has been under way; `undefined` while none is. */
  readonly writingSinceMs: number | undefined;
  /** Its client has taken more than any system's own buffers hold, and no write was slow meanwhile. */
  readonly steady: boolean;
  /** Ends its connection; its buffers come back once the socket has closed. */
  cut(): void;
}

/** One body's place among those that share the memory. Disposing gives up its turn; buffers go back one by one. */
export interface BufferPlace extends Disposable {
  /** A buffer of at most `bytes`; `undefined` where others wait for this memory, or the client's share is used up. */
  takeNow(bytes: number): ReadBuffer | undefined;
  /** The same for a second buffer, which is for as long as there is room for those who have none. */
  takeSecond(bytes: number): ReadBuffer | undefined;
  /** A buffer when its turn comes; rejects with what `giveUp` is given before that. One at a time. */
  take(bytes: number): Promise<ReadBuffer>;
  /** Leaves the queue; nothing where the buffer was given already. */
  giveUp(error: Error): void;
  release(buffer: ReadBuffer): void;
  /** Others wait for what this body has: it gives its buffer back after each write. */
  readonly crowded: boolean;
  /** This body's part of what its client may have, in bytes; of a steady body, of what no standing write holds. */
  readonly fairBytes: number;
}

/**
 * The read buffers of all listeners, shared out among clients (`sourceOf` their address): three quarters of the budget are
 * divided by those that have bodies on their way, the last quarter is for who has less than that. Bodies of one client take
 * turns in the order of asking, and so do the clients.
 *
 * Node keeps the memory of a write until the system has taken all of it, and nothing calls a write back: a client that stops
 * reading pins what was written to it last. So those are cut while others wait, of the client that holds most first. Nobody can
 * tell one that has stopped from one that is slow, so both stay while nobody waits; but a steady body beside many of them has
 * all that they leave, and a little more: by its part alone it would crawl, two turns of the event loop for each small buffer.
 */
export interface BodyBuffers {
  join(clientAddress: string, holder: BufferHolder): BufferPlace;
  /** Bodies on their way. */
  readonly bodies: number;
  /** Bodies that wait for a buffer. */
  readonly waiting: number;
  readonly usedBytes: number;
  readonly budgetBytes: number;
}

/** What the bodies of one client hold and wait for. */
interface Share {
  readonly source: string;
  heldBytes: number;
  /** What writes held that stood at `countedMs`, and how many they were; counted where a steady body asks. */
  standingBytes: number;
  standing: number;
  countedMs: number;
  readonly seats: Set<Seat>;
  /** Those that wait for a buffer, the first for the longest. */
  readonly queue: Set<Seat>;
}

interface Seat {
  readonly share: Share;
  readonly holder: BufferHolder;
  heldBytes: number;
  cut: boolean;
  wanted: Wanted | undefined;
}

interface Wanted {
  readonly bytes: number;
  readonly sinceMs: number;
  readonly give: (buffer: ReadBuffer) => void;
  readonly refuse: (error: Error) => void;
}

export function createBodyBuffers(budgetBytes: number, timer: Timer): BodyBuffers {
  return new SharedBuffers(budgetBytes, timer);
}

class SharedBuffers implements BodyBuffers {
  readonly #memory: ReadBuffers;
  readonly #timer: Timer;
  readonly #shares = new Map<string, Share>();
  /** Shares with someone in their queue; the first has its turn next. */
  readonly #ring = new Set<Share>();
  /** Someone waits who would get a buffer if there were one. */
  #short = false;
  #watching = false;
  bodies = 0;
  waiting = 0;

  constructor(budgetBytes: number, timer: Timer) {
    this.#memory = createReadBuffers(budgetBytes);
    this.#timer = timer;
  }

  get usedBytes(): number {
    return this.#memory.usedBytes;
  }

  get budgetBytes(): number {
    return this.#memory.budgetBytes;
  }

  join(clientAddress: string, holder: BufferHolder): BufferPlace {
    const source = sourceOf(clientAddress);
    let share = this.#shares.get(source);
    if (share === undefined) {
      share = {
        source,
        heldBytes: 0,
        standingBytes: 0,
        standing: 0,
        countedMs: -Infinity,
        seats: new Set(),
        queue: new Set(),
      };
      this.#shares.set(source, share);
    }
    const seat: Seat = { share, holder, heldBytes: 0, cut: false, wanted: undefined };
    share.seats.add(seat);
    this.bodies += 1;
    return new Place(this, seat);
  }

  leave(seat: Seat): void {
    const { share } = seat;
    if (!share.seats.delete(seat)) return;
    this.#unqueue(seat);
    this.bodies -= 1;
    if (share.seats.size === 0) this.#shares.delete(share.source);
    // Whoever is left may have more now.
    if (this.waiting > 0) this.#serve();
  }

  hasSeconds(seat: Seat): boolean {
    const standingBytes = isSteadyAmongOthers(seat) ? seat.share.standingBytes : 0;
    return this.usedBytes - standingBytes <= (this.budgetBytes - standingBytes) * secondsShare;
  }

  isCrowded({ queue }: Share): boolean {
    return queue.size > 0 || this.#short;
  }

  shareBytes(): number {
    return (this.budgetBytes * 3) / 4 / this.#shares.size;
  }

  /** Of each of a client's bodies. */
  partBytes({ seats }: Share): number {
    return Math.max(bufferBytesMin, this.shareBytes() / seats.size);
  }

  fairBytes(seat: Seat): number {
    const { share } = seat;
    const partBytes = this.partBytes(share);
    if (!isSteadyAmongOthers(seat)) return partBytes;
    this.#countStanding(share);
    const moving = Math.max(1, share.seats.size - share.standing);
    return Math.max(
      partBytes,
      (this.shareBytes() + this.#steadyBytes() - share.standingBytes) / moving,
    );
  }

  lend(seat: Seat, bytes: number): ReadBuffer | undefined {
    const { share } = seat;
    const room = this.#roomFor(seat);
    const buffer = room < bufferBytesMin ? undefined : this.#memory.take(Math.min(bytes, room));
    if (buffer === undefined) return undefined;
    seat.heldBytes += buffer.bytes.length;
    share.heldBytes += buffer.bytes.length;
    return buffer;
  }

  release(seat: Seat, buffer: ReadBuffer): void {
    this.#memory.release(buffer);
    seat.heldBytes -= buffer.bytes.length;
    seat.share.heldBytes -= buffer.bytes.length;
    if (this.waiting > 0) this.#serve();
  }

  enqueue(seat: Seat, bytes: number): Promise<ReadBuffer> {
    const { promise, resolve, reject } = Promise.withResolvers<ReadBuffer>();
    seat.wanted = { bytes, sinceMs: this.#timer.elapsed(), give: resolve, refuse: reject };
    seat.share.queue.add(seat);
    this.#ring.add(seat.share);
    this.waiting += 1;
    this.#serve();
    this.#watch();
    return promise;
  }

  giveUp(seat: Seat, error: Error): void {
    seat.wanted?.refuse(error);
    this.#unqueue(seat);
  }

  #steadyBytes(): number {
    return (this.budgetBytes * steadyShare) / this.#shares.size;
  }

  #countStanding(share: Share): void {
    const nowMs = this.#timer.elapsed();
    if (nowMs - share.countedMs < standingAgeMs) return;
    share.countedMs = nowMs;
    share.standing = 0;
    share.standingBytes = 0;
    for (const { holder, heldBytes } of share.seats) {
      if (nowMs - (holder.writingSinceMs ?? nowMs) < standingMs) continue;
      share.standing += 1;
      share.standingBytes += heldBytes;
    }
  }

  #roomFor({ share, holder }: Seat): number {
    return this.#room(share, holder.steady ? this.#steadyBytes() : 0);
  }

  /** However many clients there are, each may have one small buffer. */
  #room({ heldBytes }: Share, moreBytes = 0): number {
    const leftBytes = this.shareBytes() + moreBytes - heldBytes;
    return Math.max(leftBytes, heldBytes === 0 ? bufferBytesMin : 0);
  }

  #unqueue(seat: Seat): void {
    const { share } = seat;
    if (!share.queue.delete(seat)) return;
    seat.wanted = undefined;
    this.waiting -= 1;
    if (share.queue.size === 0) this.#ring.delete(share);
    if (this.waiting === 0) this.#short = false;
  }

  /** Gives what is free to those who wait, one buffer a client in turn. A client that was served is at the ring's end again. */
  #serve(): void {
    this.#short = false;
    for (const share of this.#ring) {
      const [seat] = share.queue;
      if (seat?.wanted === undefined || this.#roomFor(seat) < bufferBytesMin) continue;
      const { bytes, give } = seat.wanted;
      const buffer = this.lend(seat, bytes);
      if (buffer === undefined) {
        this.#short = true;
        return;
      }
      this.#unqueue(seat);
      if (this.#ring.delete(share)) this.#ring.add(share);
      give(buffer);
    }
  }

  #watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    this.#timer.after(patienceMs, () => {
      this.#watching = false;
      if (this.waiting === 0) return;
      this.#cutStalled(this.#timer.elapsed());
      this.#watch();
    });
  }

  /** For each who waits in vain a stalled one goes: of a client that has no less, and of its own where its share is used up. */
  #cutStalled(nowMs: number): void {
    const stalled = this.#stalledAt(nowMs);
    let spareBytes = 0;
    for (const share of this.#ring) {
      const ownOnly = this.#room(share) < bufferBytesMin;
      for (const { wanted } of share.queue) {
        if (wanted === undefined || nowMs - wanted.sinceMs < patienceMs) break;
        if (spareBytes >= wanted.bytes) {
          spareBytes -= wanted.bytes;
          continue;
        }
        const at = stalled.findIndex(
          (one) => one.share === share || (!ownOnly && one.share.heldBytes >= share.heldBytes),
        );
        const [victim] = at < 0 ? [] : stalled.splice(at, 1);
        if (victim === undefined) break;
        victim.cut = true;
        victim.holder.cut();
        spareBytes += Math.max(0, victim.heldBytes - wanted.bytes);
      }
    }
  }

  /** Of the client that holds most first, and of each the one that has stood for the longest. */
  #stalledAt(nowMs: number): Seat[] {
    const stalled: { readonly seat: Seat; readonly sinceMs: number }[] = [];
    for (const share of this.#shares.values()) {
      const partBytes = this.partBytes(share);
      for (const seat of share.seats) {
        const sinceMs = seat.cut ? undefined : seat.holder.writingSinceMs;
        const afterMs = seat.heldBytes > partBytes ? stalledMs : stalledFairMs;
        if (sinceMs !== undefined && nowMs - sinceMs >= afterMs) stalled.push({ seat, sinceMs });
      }
    }
    return stalled
      .toSorted((a, b) => b.seat.share.heldBytes - a.seat.share.heldBytes || a.sinceMs - b.sinceMs)
      .map(({ seat }) => seat);
  }
}

/** Whether a body gets what standing writes of its client leave. Of one that is alone nothing stands beside it, whatever was counted. */
function isSteadyAmongOthers({ share, holder }: Seat): boolean {
  return holder.steady && share.seats.size > 1;
}

class Place implements BufferPlace {
  readonly #all: SharedBuffers;
  readonly #seat: Seat;

  constructor(all: SharedBuffers, seat: Seat) {
    this.#all = all;
    this.#seat = seat;
  }

  takeNow(bytes: number): ReadBuffer | undefined {
    return this.crowded ? undefined : this.#all.lend(this.#seat, bytes);
  }

  takeSecond(bytes: number): ReadBuffer | undefined {
    return this.#all.hasSeconds(this.#seat) ? this.takeNow(bytes) : undefined;
  }

  take(bytes: number): Promise<ReadBuffer> {
    return this.#all.enqueue(this.#seat, bytes);
  }

  giveUp(error: Error): void {
    this.#all.giveUp(this.#seat, error);
  }

  release(buffer: ReadBuffer): void {
    this.#all.release(this.#seat, buffer);
  }

  get crowded(): boolean {
    return this.#all.isCrowded(this.#seat.share);
  }

  get fairBytes(): number {
    return this.#all.fairBytes(this.#seat);
  }

  [Symbol.dispose](): void {
    this.#all.leave(this.#seat);
  }
}
