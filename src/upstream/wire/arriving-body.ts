import { ByteQueue } from '../../coordination/byte-queue.ts';
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
  push(chunk: Uint8Array): void;
  end(): void;
  fail(error: unknown): void;
}

export interface BodyFlow {
  /** Called when enough is waiting to be read. */
  readonly pause: () => void;
  /** Called when a paused connection may go on. */
  readonly resume: () => void;
  /** Called once when the reader gives up. */
  destroy(): void;
  /** Called once when nothing arrived for `idleMs` while the reader waited; answers what to throw. */
  idle(): Error;
}

const waitingBytesMax = 256 * 1024;

export function createBodyFeed(clock: Clock, idleMs: number, flow: BodyFlow): BodyFeed {
  const resumeBytes = waitingBytesMax / 2;
  const queue = new ByteQueue({ ...flow, bytesMax: waitingBytesMax, resumeBytes });
  let idleTimer: Disposable | undefined;
  let idleSince = 0;

  const watch = (ms: number): void => {
    idleTimer ??= clock.after(ms, () => {
      idleTimer = undefined;
      if (!queue.isAwaited) return;
      const leftMs = idleMs - (clock.elapsed() - idleSince);
      if (leftMs > 0) watch(leftMs);
      else queue.fail(flow.idle());
    });
  };
  const fail = (error: unknown): void => {
    idleTimer?.[Symbol.dispose]();
    queue.fail(error);
  };

  return {
    push: (chunk) => queue.push(chunk),
    end() {
      idleTimer?.[Symbol.dispose]();
      queue.end();
    },
    fail,
    body: {
      read() {
        const read = queue.read();
        if (queue.isAwaited) {
          idleSince = clock.elapsed();
          watch(idleMs);
        }
        return read;
      },
      destroy() {
        queue.clear();
        if (queue.hasEnded) return;
        fail(new Error('the body was given up'));
        flow.destroy();
      },
    },
  };
}
