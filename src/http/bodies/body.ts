import type { ByteReader, ByteSource, ByteSpan } from '../../domain/byte-source.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { BodyBuffers, BufferHolder, BufferPlace } from './body-buffers.ts';
import type { ReadBuffer } from './buffers.ts';
import { bufferBytesMax, bufferBytesMin } from './buffers.ts';
import { ClientLeft } from '../exchange.ts';
import type { Exchange } from '../exchange.ts';
import type { Timer } from '../timer.ts';

/** A write that took longer than this halves its body's buffers; one that took less than a quarter of it quadruples them. */
const writeMsGood = 400;
/** The first buffer, and the largest until `provenBytes` have gone out: before that much the system's own buffers may have taken it all. */
const bufferBytesFirst = 64 * 1024;
const bufferBytesUnproven = 256 * 1024;
const provenBytes = 8 * 1024 * 1024;
/** So much gone out without a slow write is more than a system takes for a client that stopped reading (`tcp_wmem`, 4 MiB with all that it costs). */
const steadyBytes = 4 * 1024 * 1024;

/** How the bytes of a source reach one client. */
export interface BodySender {
  /**
   * Opens the source, and calls `head` when the first bytes are there, so that what fails before can still be answered. Throws
   * what the source threw, or `unavailable` when no buffer came free in time; after `head` the socket is destroyed first, so
   * that a broken body never looks complete. The reader is closed, the buffers are back when this settles.
   */
  send(
    exchange: Exchange,
    source: ByteSource,
    span: ByteSpan | undefined,
    head: () => void,
  ): Promise<void>;
}

export interface BodySenderOptions {
  readonly buffers: BodyBuffers;
  /** How long a body waits for its first buffer. */
  readonly waitMs: number;
  readonly timer: Timer;
}

export function createBodySender({ buffers, waitMs, timer }: BodySenderOptions): BodySender {
  return {
    send: async (exchange, source, span, head) => {
      if (exchange.response.socket === null) await firstInLine(exchange);
      const length = span === undefined ? source.size : span.end - span.start + 1;
      using flow = new Flow(exchange, buffers, timer, length);
      await flow.takeFirst(waitMs);
      await using reader = await source.open(span, exchange.signal);
      await flow.run(reader, head, waitMs);
    },
  };
}

/** A response behind others of its connection can send nothing yet: it takes no buffer before its turn. */
async function firstInLine(exchange: Exchange): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  exchange.response.once('socket', () => resolve());
  exchange.whenClosed(() => reject(new ClientLeft()));
  try {
    await promise;
  } finally {
    exchange.whenClosed(undefined);
  }
}

/** One body: reads into one buffer while the other is being written. Owns its buffers. */
class Flow implements BufferHolder, Disposable {
  writingSinceMs: number | undefined;
  steady = false;
  readonly #exchange: Exchange;
  readonly #place: BufferPlace;
  readonly #timer: Timer;
  #current: ReadBuffer | undefined;
  #wanted = bufferBytesFirst;
  /** The last write was not slow: the next read beside it is worth a second buffer. */
  #fast = true;
  /** Bytes that went out since the last slow write. */
  #fastBytes = 0;
  /** Bytes still to be read; Infinity where nobody knows. */
  #left: number;

  constructor(exchange: Exchange, buffers: BodyBuffers, timer: Timer, length: number | undefined) {
    this.#exchange = exchange;
    this.#timer = timer;
    this.#left = length ?? Infinity;
    this.#place = buffers.join(exchange.clientAddress, this);
  }

  cut(): void {
    this.#exchange.connection.socket.destroy();
  }

  [Symbol.dispose](): void {
    this.#free();
    this.#place[Symbol.dispose]();
  }

  /** Throws `unavailable` when no buffer came free in time. */
  async takeFirst(waitMs: number): Promise<void> {
    const bytes = this.#bytesWanted();
    this.#current = this.#place.takeNow(bytes);
    if (this.#current !== undefined) return;
    using _late = this.#timer.after(waitMs, () =>
      this.#place.giveUp(
        new RegistryError('unavailable', 'too many bodies are being sent', { retryAfterMs: 1000 }),
      ),
    );
    await this.#waitForTurn(bytes);
  }

  async run(reader: ByteReader, head: () => void, waitMs: number): Promise<void> {
    let sending = false;
    try {
      if (!isHere(reader)) {
        this.#free();
        await reader.arrival?.wait();
        await this.takeFirst(waitMs);
      }
      let count = await this.#read(reader, this.#buffer());
      if (this.#exchange.closed) return;
      head();
      sending = true;
      while (count > 0) {
        const written = this.#write(this.#buffer(), count);
        if (this.#left === 0) {
          await written;
          return;
        }
        const next =
          this.#fast && isHere(reader) ? this.#place.takeSecond(this.#bytesWanted()) : undefined;
        if (next === undefined) {
          await written;
          await this.#nextTurn(reader);
          count = await this.#read(reader, this.#buffer());
        } else {
          count = await this.#readAhead(reader, next, written);
        }
      }
      if (this.#left !== Infinity && this.#left > 0)
        throw new Error(`the body ended ${this.#left} bytes early`);
    } catch (error) {
      if (sending) this.#exchange.connection.socket.destroy();
      throw error;
    }
  }

  #buffer(): ReadBuffer {
    if (this.#current === undefined) throw new Error('the body has no buffer');
    return this.#current;
  }

  #free(): void {
    if (this.#current !== undefined) this.#place.release(this.#current);
    this.#current = undefined;
  }

  #bytesWanted(): number {
    const { fairBytes } = this.#place;
    // Two of them, unless they were small then.
    const fair = fairBytes < 2 * bufferBytesFirst ? fairBytes : fairBytes / 2;
    const left = this.#left === 0 ? bufferBytesMin : roundedUp(this.#left);
    return Math.min(this.#wanted, fair, left);
  }

  /** Between two writes: the buffer goes to whoever waits, and is not held while bytes are still to arrive. */
  async #nextTurn(reader: ByteReader): Promise<void> {
    if (!isHere(reader)) {
      this.#free();
      await reader.arrival?.wait();
    }
    const bytes = this.#bytesWanted();
    if (this.#current !== undefined) {
      const { length } = this.#current.bytes;
      if (!this.#place.crowded && length >= bytes && length <= this.#wanted) return;
      this.#free();
    }
    this.#current = this.#place.takeNow(bytes);
    if (this.#current === undefined) await this.#waitForTurn(bytes);
  }

  async #waitForTurn(bytes: number): Promise<void> {
    this.#exchange.whenClosed(() => this.#place.giveUp(new ClientLeft()));
    const taken = this.#place.take(bytes);
    if (this.#exchange.closed) this.#place.giveUp(new ClientLeft());
    try {
      this.#current = await taken;
    } finally {
      this.#exchange.whenClosed(undefined);
    }
  }

  /** Reads into `next` while `written` goes on; then `next` is the current buffer and the former one is free. */
  async #readAhead(reader: ByteReader, next: ReadBuffer, written: Promise<void>): Promise<number> {
    const [read, write] = await Promise.allSettled([this.#readOrCut(reader, next), written]);
    this.#free();
    this.#current = next;
    if (read.status === 'rejected') throw read.reason;
    if (write.status === 'rejected') throw write.reason;
    return read.value;
  }

  /** A read that fails ends the write beside it too, which may be waiting for a slow client. */
  async #readOrCut(reader: ByteReader, buffer: ReadBuffer): Promise<number> {
    try {
      return await this.#read(reader, buffer);
    } catch (error) {
      this.#exchange.connection.socket.destroy();
      throw error;
    }
  }

  async #read(reader: ByteReader, buffer: ReadBuffer): Promise<number> {
    const bytes =
      this.#left < buffer.bytes.length ? buffer.bytes.subarray(0, this.#left) : buffer.bytes;
    if (bytes.length === 0) return 0;
    const count = await reader.read(bytes);
    this.#left -= count;
    return count;
  }

  /** Settles when the bytes are no longer needed: written, or the socket has closed. */
  #write(buffer: ReadBuffer, count: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const exchange = this.#exchange;
    const startedMs = this.#timer.elapsed();
    this.writingSinceMs = startedMs;
    exchange.progress.begin(startedMs);
    exchange.whenClosed(() => reject(new ClientLeft()));
    exchange.response.write(
      count === buffer.bytes.length ? buffer.bytes : buffer.bytes.subarray(0, count),
      (error) => {
        // A write that failed is settled by the close that follows: only then is the memory out of use.
        if (error !== null && error !== undefined) return;
        const nowMs = this.#timer.elapsed();
        this.writingSinceMs = undefined;
        exchange.progress.end(nowMs, count);
        exchange.whenClosed(undefined);
        exchange.bytes += count;
        this.#adapt(nowMs - startedMs, count);
        resolve();
      },
    );
    return promise;
  }

  #adapt(tookMs: number, count: number): void {
    this.#fast = tookMs <= writeMsGood;
    this.#fastBytes = this.#fast ? this.#fastBytes + count : 0;
    this.steady = this.#fastBytes >= steadyBytes;
    const most = this.#exchange.bytes < provenBytes ? bufferBytesUnproven : bufferBytesMax;
    if (!this.#fast) this.#wanted = Math.max(bufferBytesMin, this.#wanted >> 1);
    else if (tookMs < writeMsGood / 4 && count >= this.#wanted)
      this.#wanted = Math.min(most, this.#wanted << 2);
  }
}

function isHere({ arrival }: ByteReader): boolean {
  return arrival === undefined || arrival.isHere();
}

/** The smallest buffer that so many bytes fit into. */
function roundedUp(bytes: number): number {
  let rounded = bufferBytesMin;
  while (rounded < bytes && rounded < bufferBytesMax) rounded <<= 1;
  return rounded;
}
