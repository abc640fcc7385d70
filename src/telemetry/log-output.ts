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
export class GatheringLogOutput implements LogOutput {
  readonly #sink: LogSink;
  readonly #clock: Clock;
  readonly #gathered = new LogLines();
  /** What is left of the piece that is being written. */
  #writing: Uint8Array | undefined;
  #timer: Disposable | undefined;
  #pumping: Promise<void> | undefined;
  #dropped = 0;
  /** Less than a piece is written too. */
  #closing = false;

  constructor(sink: LogSink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
  }

  write(lines: string): void {
    const pendingBytes = this.#gathered.bytes + (this.#writing?.length ?? 0);
    if (pendingBytes + lines.length > pendingBytesMax) {
      this.#dropped += 1;
      return;
    }
    this.#gathered.add(lines);
    if (this.#gathered.bytes >= pieceBytes) this.#start();
    else this.#arm();
  }

  flushSync(): void {
    this.#noticeDropped();
    const pieces = [this.#writing ?? new Uint8Array()];
    for (let piece = this.#gathered.take(); piece !== undefined; piece = this.#gathered.take())
      pieces.push(piece);
    const rest = Buffer.concat(pieces);
    this.#writing = undefined;
    try {
      for (let at = 0; at < rest.length;) at += this.#sink.writeSync(rest.subarray(at));
    } catch {
      // The reader is gone or too slow, and there is nowhere left to say so.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    const { promise: expired, resolve } = Promise.withResolvers<boolean>();
    using _deadline = this.#clock.after(closeTimeoutMs, () => resolve(true));
    while (this.#gathered.bytes > 0 || this.#writing) {
      this.#start();
      if (await Promise.race([this.#pumping, expired])) break;
    }
    this.#timer?.[Symbol.dispose]();
  }

  #arm(): void {
    this.#timer ??= this.#clock.after(gatherMs, () => {
      this.#timer = undefined;
      this.#flush();
    });
  }

  /** Writes what there is, however little. */
  #flush(): void {
    const before = this.#closing;
    this.#closing = true;
    this.#start();
    this.#closing = before;
  }

  #start(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = undefined;
      if (this.#gathered.bytes > 0) this.#arm();
    });
  }

  async #pump(): Promise<void> {
    while (this.#gathered.bytes > 0 && (this.#closing || this.#gathered.bytes >= pieceBytes)) {
      this.#noticeDropped();
      const piece = this.#gathered.take();
      this.#writing = piece;
      while (this.#writing !== undefined && this.#writing.length > 0) {
        try {
          const written = await this.#sink.write(this.#writing);
          this.#writing = this.#writing?.subarray(written);
        } catch (error) {
          if (isBusy(error)) await wait(this.#clock, retryMs);
          else {
            this.#dropped += countLines(piece);
            break;
          }
        }
      }
      this.#writing = undefined;
    }
  }

  #noticeDropped(): void {
    if (this.#dropped === 0) return;
    const notice = {
      time: new Date(this.#clock.now()).toISOString(),
      level: 'warn',
      logger: 'log',
      msg: 'log lines were dropped',
      lines: this.#dropped,
    };
    this.#dropped = 0;
    this.#gathered.add(`${JSON.stringify(notice)}\n`);
  }
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
