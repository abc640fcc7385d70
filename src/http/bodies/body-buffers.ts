import { sourceOf } from '../../domain/names/client-source.ts';
import { bufferBytesMin, createReadBuffers } from './buffers.ts';
import type { ReadBuffer, ReadBuffers } from './buffers.ts';
import type { Timer } from '../timer.ts';

/** A write that takes so long stands: nobody knows when its buffer comes back. */
const standingMs = 1000;
/** Of what a client may have, what writes that stand may hold while others of its bodies move; and how old the sum may be. */
const standingShare = 3 / 4;
const standingAgeMs = 500;
/** A body that has more than its part, and whose client has taken nothing of it for so long, is cut where others are short … */
const stalledMs = 3000;
/** … one that has no more than its part only after this: a client on a crowded line, or one that is busy. */
const stalledFairMs = 15_000;
/** While more of what no standing write holds is in use, nobody gets a second buffer. */
const secondsShare = 3 / 8;
/** How long others wait in vain before anyone is cut. */
const patienceMs = 500;

/** A body as the buffers see it. */
export interface BufferHolder {
  /** Monotonic ms since when a write has been under way; `undefined` while none is. */
  readonly writingSinceMs: number | undefined;
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
  /** What this body may hold, in bytes: its part of what its client may have, or of that what no standing write holds. */
  readonly fairBytes: number;
}

/**
 * The read buffers of all listeners, shared out among clients (`sourceOf` their address): three quarters of the budget are
 * divided by those that have bodies on their way, the last quarter is for who has less than that. Bodies of one client take
 * turns in the order of asking, and so do the clients.
 *
 * Node keeps the memory of a write until the system has taken all of it, and nothing calls a write back: a client that stops
 * reading pins what was written to it last. What writes hold that stand is not divided among the bodies that move, which would
 * crawl by the smallest of buffers beside many of them. And who stands is cut while others wait, of the client that holds most
 * first, or where those who move have too little left, if it has more than its part.
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
  /** What writes held that stood at `countedMs`, and how many they were. */
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
  /** As far as they were counted, of all shares. */
  #standingBytes = 0;
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
    if (share.seats.size === 0) {
      this.#shares.delete(share.source);
      this.#standingBytes -= share.standingBytes;
    }
    // Whoever is left may have more now.
    if (this.waiting > 0) this.#serve();
  }

  get hasSeconds(): boolean {
    const { usedBytes, budgetBytes } = this;
    const standingBytes = this.#standingBytes;
    return usedBytes - standingBytes <= (budgetBytes - standingBytes) * secondsShare;
  }

  isCrowded({ queue }: Share): boolean {
    return queue.size > 0 || this.#short;
  }

  shareBytes(): number {
    return (this.budgetBytes * 3) / 4 / this.#shares.size;
  }

  fairBytes(share: Share): number {
    const partBytes = this.#partBytes(share);
    if (share.seats.size === 1) return partBytes;
    const nowMs = this.#timer.elapsed();
    if (nowMs - share.countedMs >= standingAgeMs) this.#countStanding(share, nowMs);
    const moving = Math.max(1, share.seats.size - share.standing);
    return Math.max(partBytes, (this.shareBytes() - share.standingBytes) / moving);
  }

  lend(seat: Seat, bytes: number): ReadBuffer | undefined {
    const { share } = seat;
    const room = this.#room(share);
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

  #partBytes({ seats }: Share): number {
    return Math.max(bufferBytesMin, this.shareBytes() / seats.size);
  }

  #countStanding(share: Share, nowMs: number): void {
    share.countedMs = nowMs;
    this.#standingBytes -= share.standingBytes;
    share.standing = 0;
    share.standingBytes = 0;
    for (const { cut, holder, heldBytes } of share.seats) {
      if (cut || nowMs - (holder.writingSinceMs ?? nowMs) < standingMs) continue;
      share.standing += 1;
      share.standingBytes += heldBytes;
    }
    this.#standingBytes += share.standingBytes;
    if (this.#isCramped(share)) this.#watch();
  }

  /** Where all stand nobody is short of anything. */
  #isCramped({ standing, standingBytes, seats }: Share): boolean {
    return standing < seats.size && standingBytes > this.shareBytes() * standingShare;
  }

  /** However many clients there are, each may have one small buffer. */
  #room({ heldBytes }: Share): number {
    return Math.max(this.shareBytes() - heldBytes, heldBytes === 0 ? bufferBytesMin : 0);
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
      if (seat?.wanted === undefined || this.#room(share) < bufferBytesMin) continue;
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
      const nowMs = this.#timer.elapsed();
      if (this.waiting > 0) this.#cutForWaiting(nowMs);
      this.#cutForMoving(nowMs);
      if (this.waiting > 0) this.#watch();
    });
  }

  /** For each who waits in vain a stalled one goes: of a client that has no less, and of its own where its share is used up. */
  #cutForWaiting(nowMs: number): void {
    const stalled = [...this.#shares.values()]
      .flatMap((share) => this.#stalledIn(share, nowMs))
      .toSorted(byBytesOfClient);
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
          ({ seat }) =>
            seat.share === share || (!ownOnly && seat.share.heldBytes >= share.heldBytes),
        );
        const [victim] = at < 0 ? [] : stalled.splice(at, 1);
        if (victim === undefined) break;
        spareBytes += Math.max(0, cut(victim.seat) - wanted.bytes);
      }
    }
  }

  /** Of clients whose standing writes leave too little to those that move, what has more than its part goes. */
  #cutForMoving(nowMs: number): void {
    for (const share of this.#shares.values()) {
      if (!this.#isCramped(share)) continue;
      this.#countStanding(share, nowMs);
      const partBytes = this.#partBytes(share);
      for (const { seat } of this.#stalledIn(share, nowMs)) {
        if (!this.#isCramped(share)) break;
        if (seat.heldBytes <= partBytes) continue;
        share.standingBytes -= cut(seat);
        share.standing -= 1;
      }
    }
  }

  /** Of one client those that stopped reading, the one that has stood for the longest first. */
  #stalledIn(share: Share, nowMs: number): Stalled[] {
    const partBytes = this.#partBytes(share);
    const stalled: Stalled[] = [];
    for (const seat of share.seats) {
      const sinceMs = seat.cut ? undefined : seat.holder.writingSinceMs;
      const afterMs = seat.heldBytes > partBytes ? stalledMs : stalledFairMs;
      if (sinceMs !== undefined && nowMs - sinceMs >= afterMs) stalled.push({ seat, sinceMs });
    }
    return stalled.toSorted((a, b) => a.sinceMs - b.sinceMs);
  }
}

interface Stalled {
  readonly seat: Seat;
  readonly sinceMs: number;
}

/** The client that holds most first, and of each the one that has stood for the longest. */
function byBytesOfClient(a: Stalled, b: Stalled): number {
  return b.seat.share.heldBytes - a.seat.share.heldBytes || a.sinceMs - b.sinceMs;
}

/** Answers the bytes that come back. */
function cut(seat: Seat): number {
  seat.cut = true;
  seat.holder.cut();
  return seat.heldBytes;
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
    return this.#all.hasSeconds ? this.takeNow(bytes) : undefined;
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
    return this.#all.fairBytes(this.#seat.share);
  }

  [Symbol.dispose](): void {
    this.#all.leave(this.#seat);
  }
}
