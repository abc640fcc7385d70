import type { IncomingMessage } from 'node:http';
import { ByteQueue } from '../../coordination/byte-queue.ts';
import type { ByteStream } from '../../domain/byte-source.ts';

/** So much may wait for a consumer that is slower than its client; beyond it the socket is not read. */
const waitingBytesMax = 64 * 1024;

export interface BodyEvents {
  /** The first read. */
  readonly wanted: () => void;
  /** The consumer waits for the client from now on. */
  readonly waiting: () => void;
  /** A chunk went to the consumer, or with 0 bytes: nobody waits any more. */
  readonly taken: (bytes: number) => void;
  /** What a read throws when the client is gone before the body's end. */
  readonly left: () => Error;
}

/**
 * The body of one request; iterated at most once. Read by `data` events, which hand on Node's chunks as they are: `read()` would
 * join and copy what waits.
 */
export class RequestBody implements ByteStream {
  readonly givesChunksAway = true;
  readonly #request: IncomingMessage;
  readonly #hasBody: boolean;
  readonly #events: BodyEvents;
  readonly #queue: ByteQueue;
  #state: 'new' | 'open' | 'stopped' = 'new';
  readonly #push = (chunk: Buffer): void => this.#queue.push(chunk);
  readonly #end = (): void => this.#queue.end();
  readonly #leave = (): void => {
    if (!this.#queue.hasEnded) this.#queue.fail(this.#events.left());
  };

  /** `hasBody`: as its headers say. */
  constructor(request: IncomingMessage, hasBody: boolean, events: BodyEvents) {
    this.#request = request;
    this.#hasBody = hasBody;
    this.#events = events;
    this.#queue = new ByteQueue({
      bytesMax: waitingBytesMax,
      resumeBytes: 0,
      pause: () => request.pause(),
      resume: () => request.resume(),
    });
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    if (this.#state !== 'new') throw new Error('a request body is read only once');
    return {
      next: () => this.#next(),
      return: async () => {
        if (this.#state !== 'new') this.#stop();
        return { done: true, value: undefined };
      },
    };
  }

  /** Takes what is left off the connection and tells its chunks' lengths; whoever still reads gets nothing more. */
  discard(onBytes?: (bytes: number) => void): void {
    this.#stop();
    // Without a listener Node throws what comes after a connection that broke.
    this.#request.on('error', () => undefined);
    if (onBytes !== undefined) this.#request.on('data', (chunk: Buffer) => onBytes(chunk.length));
    this.#request.resume();
  }

  async #next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#state === 'new') this.#start();
    if (this.#state === 'stopped') return { done: true, value: undefined };
    const read = this.#queue.read();
    const { isAwaited } = this.#queue;
    if (isAwaited) this.#events.waiting();
    let chunk: Uint8Array | undefined;
    try {
      chunk = await read;
    } finally {
      if (isAwaited || chunk !== undefined) this.#events.taken(chunk?.length ?? 0);
    }
    return chunk === undefined ? { done: true, value: chunk } : { done: false, value: chunk };
  }

  #start(): void {
    const request = this.#request;
    this.#state = 'open';
    this.#events.wanted();
    if (!this.#hasBody || request.readableEnded) return this.#end();
    if (request.destroyed) return this.#leave();
    request.on('end', this.#end).on('close', this.#leave).on('error', this.#leave);
    request.on('data', this.#push).resume();
  }

  #stop(): void {
    if (this.#state === 'stopped' || this.#queue.hasEnded) return;
    this.#state = 'stopped';
    this.#request.off('data', this.#push).pause();
    this.#queue.clear();
    this.#leave();
  }
}
