import type { ByteReader, ByteSource, ByteSpan } from '../domain/byte-source.ts';
import { RegistryError } from '../domain/errors.ts';
import type { Timer } from './timer.ts';
import type { ReadBuffer, ReadBuffers } from './buffers.ts';
import { bufferBytesMax, bufferBytesMin } from './buffers.ts';
import { ClientLeft } from './exchange.ts';
import type { Exchange } from './exchange.ts';

/** A write that took longer than this halves its body's buffers; one that took less than a quarter of it quadruples them. */
const writeMsGood = 400;

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
  /** Bodies on their way. */
  readonly active: number;
}

export interface BodySenderOptions {
  readonly buffers: ReadBuffers;
  /** How long a body waits for its first buffer. */
  readonly waitMs: number;
  readonly timer: Timer;
}

export function createBodySender(options: BodySenderOptions): BodySender {
  const { buffers, waitMs, timer } = options;
  let active = 0;

  const send: BodySender['send'] = async (exchange, source, span, head) => {
    active += 1;
    let buffer: ReadBuffer | undefined;
    try {
      buffer = await firstBuffer(exchange, buffers, waitMs, timer);
      const length = span === undefined ? source.size : span.end - span.start + 1;
      await using reader = await source.open(span, exchange.signal);
      const flow = new Flow(exchange, buffers, timer, buffer, length);
      buffer = undefined;
      await flow.run(reader, head, () => active);
    } finally {
      if (buffer !== undefined) buffers.release(buffer);
      active -= 1;
    }
  };

  return {
    send,
    get active(): number {
      return active;
    },
  };
}

/** One body: reads into one buffer while the other is being written. Owns its buffers. */
class Flow {
  readonly #exchange: Exchange;
  readonly #buffers: ReadBuffers;
  readonly #timer: Timer;
  #current: ReadBuffer;
  #wanted = bufferBytesMin;
  /** Bytes still to be read; Infinity where nobody knows. */
  #left: number;

  constructor(
    exchange: Exchange,
    buffers: ReadBuffers,
    timer: Timer,
    first: ReadBuffer,
    length: number | undefined,
  ) {
    this.#exchange = exchange;
    this.#buffers = buffers;
    this.#timer = timer;
    this.#current = first;
    this.#left = length ?? Infinity;
  }

  async run(reader: ByteReader, head: () => void, active: () => number): Promise<void> {
    let sending = false;
    try {
      let count = await this.#read(reader, this.#current);
      if (this.#exchange.closed) return;
      head();
      sending = true;
      while (count > 0) {
        const written = this.#write(this.#current, count);
        if (this.#left === 0) {
          await written;
          return;
        }
        this.#wanted = Math.min(this.#wanted, fairShare(this.#buffers, active()));
        const next = readsAhead(this.#buffers) ? this.#buffers.take(this.#wanted) : undefined;
        if (next === undefined) {
          await written;
          count = await this.#read(reader, this.#current);
        } else {
          count = await this.#readAhead(reader, next, written);
        }
      }
      if (this.#left !== Infinity && this.#left > 0)
        throw new Error(`the body ended ${this.#left} bytes early`);
    } catch (error) {
      if (sending) this.#exchange.connection.socket.destroy();
      throw error;
    } finally {
      this.#buffers.release(this.#current);
    }
  }

  /** Reads into `next` while `written` goes on; then `next` is the current buffer and the former one is free. */
  async #readAhead(reader: ByteReader, next: ReadBuffer, written: Promise<void>): Promise<number> {
    const [read, write] = await Promise.allSettled([this.#readOrCut(reader, next), written]);
    this.#buffers.release(this.#current);
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
    exchange.progress.begin(startedMs);
    exchange.whenClosed(() => reject(new ClientLeft()));
    exchange.response.write(
      count === buffer.bytes.length ? buffer.bytes : buffer.bytes.subarray(0, count),
      (error) => {
        // A write that failed is settled by the close that follows: only then is the memory out of use.
        if (error !== null && error !== undefined) return;
        const nowMs = this.#timer.elapsed();
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
    if (tookMs > writeMsGood) this.#wanted = Math.max(bufferBytesMin, this.#wanted >> 1);
    else if (tookMs < writeMsGood / 4 && count >= this.#wanted)
      this.#wanted = Math.min(bufferBytesMax, this.#wanted << 2);
  }
}

/** What one of two buffers may be: a quarter of the budget stays for those who come. */
function fairShare(buffers: ReadBuffers, active: number): number {
  return Math.max(bufferBytesMin, Math.floor((buffers.budgetBytes * 3) / 4 / (2 * active)));
}

/** A second buffer is for as long as there is room for those who have none. */
function readsAhead(buffers: ReadBuffers): boolean {
  return !buffers.contended && buffers.usedBytes <= (buffers.budgetBytes * 3) / 4;
}

async function firstBuffer(
  exchange: Exchange,
  buffers: ReadBuffers,
  waitMs: number,
  timer: Timer,
): Promise<ReadBuffer> {
  const atOnce = buffers.contended ? undefined : buffers.take(bufferBytesMin);
  if (atOnce !== undefined) return atOnce;
  const { promise, resolve, reject } = Promise.withResolvers<ReadBuffer>();
  let waiting = true;
  const giveUp = (error: Error): void => {
    waiting = false;
    reject(error);
  };
  const ask = (): Disposable =>
    buffers.whenFree(() => {
      const buffer = waiting ? buffers.take(bufferBytesMin) : undefined;
      if (buffer !== undefined) {
        waiting = false;
        resolve(buffer);
      } else if (waiting) place = ask();
    });
  let place = ask();
  using _timer = timer.after(waitMs, () => {
    giveUp(
      new RegistryError('unavailable', 'too many bodies are being sent', { retryAfterMs: 1000 }),
    );
  });
  exchange.whenClosed(() => giveUp(new ClientLeft()));
  try {
    return await promise;
  } finally {
    place[Symbol.dispose]();
    exchange.whenClosed(undefined);
  }
}
