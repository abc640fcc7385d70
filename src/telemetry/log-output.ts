import { write as writeFile, writeSync } from 'node:fs';
import type { Clock } from '../ports/clock.ts';
import { LogLines, pieceBytes } from './log-lines.ts';

/** How long less than a piece may wait for more. */
const gatherMs = 100;
/** What waits for a slow reader; further lines are dropped and counted. */
const pendingBytesMax = 16 * 1024 * 1024;
const retryMs = 10;
const closeTimeoutMs = 5000;

/** Where lines go, each ending in a newline. Never throws and never waits; disposing writes what was gathered. */
export interface LogOutput extends AsyncDisposable {
  write(lines: string): void;
  /** For a process that is about to die: blocks until what was gathered is out, or can't be. */
  flushSync(): void;
}

export interface LogSink {
  /** How many of the bytes were taken; rejects with `EAGAIN` when none can be now. */
  write(bytes: Uint8Array): Promise<number>;
  writeSync(bytes: Uint8Array): number;
}

/** 1 is standard output. */
export function fileSink(fd: number): LogSink {
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        writeFile(fd, bytes, (error, written) => (error ? reject(error) : resolve(written)));
      }),
    writeSync: (bytes) => writeSync(fd, bytes),
  };
}

/** Gathers lines and writes them in large pieces. */
export function createLogOutput(sink: LogSink, clock: Clock): LogOutput {
  const gathered = new LogLines();
  let writing: Uint8Array | undefined;
  let timer: Disposable | undefined;
  let pumping: Promise<void> | undefined;
  let dropped = 0;
  let closing = false;

  const noticeDropped = (): void => {
    if (dropped === 0) return;
    const notice = {
      time: new Date(clock.now()).toISOString(),
      level: 'warn',
      logger: 'log',
      msg: 'log lines were dropped',
      lines: dropped,
    };
    dropped = 0;
    gathered.add(`${JSON.stringify(notice)}\n`);
  };
  const pump = async (): Promise<void> => {
    while (gathered.bytes > 0 && (closing || gathered.bytes >= pieceBytes)) {
      noticeDropped();
      const piece = gathered.take();
      writing = piece;
      while (writing !== undefined && writing.length > 0) {
        try {
          const written = await sink.write(writing);
          writing = writing?.subarray(written);
        } catch (error) {
          if (isBusy(error)) await wait(clock, retryMs);
          else {
            dropped += countLines(piece);
            break;
          }
        }
      }
      writing = undefined;
    }
  };
  const start = (): void => {
    timer?.[Symbol.dispose]();
    timer = undefined;
    pumping ??= pump().finally(() => {
      pumping = undefined;
      if (gathered.bytes > 0) arm();
    });
  };
  const arm = (): void => {
    timer ??= clock.after(gatherMs, () => {
      timer = undefined;
      flush();
    });
  };
  /** Writes what there is, however little. */
  const flush = (): void => {
    const before = closing;
    closing = true;
    start();
    closing = before;
  };
  return {
    write(lines) {
      if (gathered.bytes + (writing?.length ?? 0) + lines.length > pendingBytesMax) {
        dropped += 1;
        return;
      }
      gathered.add(lines);
      if (gathered.bytes >= pieceBytes) start();
      else arm();
    },
    flushSync() {
      noticeDropped();
      const pieces = [writing ?? new Uint8Array()];
      for (let piece = gathered.take(); piece !== undefined; piece = gathered.take())
        pieces.push(piece);
      const rest = Buffer.concat(pieces);
      writing = undefined;
      try {
        for (let at = 0; at < rest.length;) at += sink.writeSync(rest.subarray(at));
      } catch {
        // The reader is gone or too slow, and there is nowhere left to say so.
      }
    },
    async [Symbol.asyncDispose]() {
      closing = true;
      const { promise: expired, resolve } = Promise.withResolvers<boolean>();
      using _deadline = clock.after(closeTimeoutMs, () => resolve(true));
      while (gathered.bytes > 0 || writing) {
        start();
        if (await Promise.race([pumping, expired])) break;
      }
      timer?.[Symbol.dispose]();
    },
  };
}

function isBusy(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN';
}

const newline = 10;

function countLines(piece: Uint8Array | undefined): number {
  return piece?.reduce((count, byte) => (byte === newline ? count + 1 : count), 0) ?? 0;
}

function wait(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}
