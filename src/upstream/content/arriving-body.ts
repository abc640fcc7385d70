import type { Clock } from '../../ports/clock.ts';

/** A body as it arrives. One reader; memory is bounded by pausing the connection. */
export interface ArrivingBody {
  /** The next bytes; `undefined` at the regular end; throws what broke the body, or the signal's reason. */
  read(): Promise<Uint8Array | undefined>;
  /** Ends the connection where bytes are still to come; idempotent, and nothing after a regular end. */
  destroy(): void;
}

/** The side that the connection writes to. */
export interface BodyFeed {
  readonly body: ArrivingBody;
  /** True: enough is waiting to be read, pause. */
  push(chunk: Uint8Array): boolean;
  end(): void;
  fail(error: unknown): void;
}

export interface BodyFlow {
  /** Called when a paused connection may go on. */
  resume(): void;
  /** Called once when the reader gives up. */
  destroy(): void;
  /** Called once when nothing arrived for `idleMs` while the reader waited; answers what to throw. */
  idle(): Error;
}

const waitingBytesMax = 256 * 1024;

export function createBodyFeed(clock: Clock, idleMs: number, flow: BodyFlow): BodyFeed {
  const queue: Uint8Array[] = [];
  let queuedBytes = 0;
  let paused = false;
  let end: { readonly error: unknown } | 'regular' | undefined;
  let waiting: PromiseWithResolvers<Uint8Array | undefined> | undefined;
  let idleTimer: Disposable | undefined;
  let idleSince = 0;

  const watch = (ms: number): void => {
    idleTimer ??= clock.after(ms, () => {
      idleTimer = undefined;
      if (waiting === undefined || end !== undefined) return;
      const leftMs = idleMs - (clock.elapsed() - idleSince);
      if (leftMs > 0) watch(leftMs);
      else finish({ error: flow.idle() });
    });
  };
  const finish = (how: { readonly error: unknown } | 'regular'): void => {
    if (end !== undefined) return;
    end = how;
    idleTimer?.[Symbol.dispose]();
    if (how === 'regular') waiting?.resolve(undefined);
    else waiting?.reject(how.error);
    waiting = undefined;
  };

  return {
    push(chunk) {
      if (end !== undefined) return false;
      if (waiting !== undefined) {
        waiting.resolve(chunk);
        waiting = undefined;
        return false;
      }
      queue.push(chunk);
      queuedBytes += chunk.length;
      paused = queuedBytes >= waitingBytesMax;
      return paused;
    },
    end: () => finish('regular'),
    fail: (error) => finish({ error }),
    body: {
      async read() {
        const chunk = queue.shift();
        if (chunk !== undefined) {
          queuedBytes -= chunk.length;
          if (paused && queuedBytes < waitingBytesMax / 2) {
            paused = false;
            flow.resume();
          }
          return chunk;
        }
        if (end === 'regular') return undefined;
        if (end !== undefined) throw end.error;
        waiting = Promise.withResolvers();
        idleSince = clock.elapsed();
        watch(idleMs);
        return waiting.promise;
      },
      destroy() {
        queue.length = 0;
        if (end !== undefined) return;
        finish({ error: new Error('the body was given up') });
        flow.destroy();
      },
    },
  };
}
