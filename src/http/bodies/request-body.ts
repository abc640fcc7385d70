import type { IncomingMessage } from 'node:http';
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

/** The body of one request; iterated at most once. */
export interface RequestBody extends ByteStream {
  /** Takes what is left off the connection and tells its chunks' lengths; whoever still reads gets nothing more. */
  discard(onBytes?: (bytes: number) => void): void;
}

/** True where the headers announce a body of at least one byte, or one of unknown length. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Reads by `data` events, which hand on Node's chunks as they are; `read()` would join and copy what waits. */
export function createRequestBody(request: IncomingMessage, events: BodyEvents): RequestBody {
  const chunks: Buffer[] = [];
  let waitingBytes = 0;
  let state: 'new' | 'open' | 'ended' | 'left' | 'stopped' = 'new';
  let waiting: PromiseWithResolvers<IteratorResult<Uint8Array>> | undefined;

  const settle = (): PromiseWithResolvers<IteratorResult<Uint8Array>> | undefined => {
    const settled = waiting;
    waiting = undefined;
    return settled;
  };
  const onData = (chunk: Buffer): void => {
    const reader = settle();
    if (reader !== undefined) {
      events.taken(chunk.length);
      reader.resolve({ done: false, value: chunk });
      return;
    }
    chunks.push(chunk);
    waitingBytes += chunk.length;
    if (waitingBytes >= waitingBytesMax) request.pause();
  };
  const close = (how: 'ended' | 'left'): void => {
    if (state !== 'open') return;
    state = how;
    const reader = settle();
    if (reader === undefined) return;
    events.taken(0);
    if (how === 'ended') reader.resolve({ done: true, value: undefined });
    else reader.reject(events.left());
  };
  const onEnd = (): void => close('ended');
  const onClose = (): void => close('left');
  const start = (): void => {
    state = 'open';
    events.wanted();
    if (!hasBody(request) || request.readableEnded) return onEnd();
    if (request.destroyed) return onClose();
    request.on('end', onEnd).on('close', onClose).on('error', onClose).on('data', onData);
    request.resume();
  };
  const stop = (): void => {
    request.off('data', onData).pause();
    chunks.length = 0;
    state = 'stopped';
    const reader = settle();
    if (reader === undefined) return;
    events.taken(0);
    reader.reject(events.left());
  };

  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    if (state === 'new') start();
    const chunk = chunks.shift();
    if (chunk !== undefined) {
      waitingBytes -= chunk.length;
      events.taken(chunk.length);
      if (chunks.length === 0) request.resume();
      return { done: false, value: chunk };
    }
    if (state === 'left') throw events.left();
    if (state !== 'open') return { done: true, value: undefined };
    waiting ??= Promise.withResolvers();
    events.waiting();
    return await waiting.promise;
  };
  return {
    givesChunksAway: true,
    [Symbol.asyncIterator]: () => {
      if (state !== 'new') throw new Error('a request body is read only once');
      return {
        next,
        return: async () => {
          if (state === 'open') stop();
          return { done: true, value: undefined };
        },
      };
    },
    discard: (onBytes) => {
      if (state === 'new' || state === 'open') stop();
      // Without a listener Node throws what comes after a connection that broke.
      request.on('error', () => undefined);
      if (onBytes !== undefined) request.on('data', (chunk: Buffer) => onBytes(chunk.length));
      request.resume();
    },
  };
}
