import type { Clock } from '../ports/clock.ts';

export interface BatchWriterOptions {
  readonly clock: Clock;
  /** How long rows wait, in ms, and how long after a write that failed. */
  readonly afterMs: number;
  readonly retryMs: number;
  /** So many rows are written at once. After a failure they wait their time all the same. */
  readonly fullRows: number;
  /** How many rows wait. */
  readonly rows: () => number;
  /** Takes the rows that wait and writes them. Throws where some can't be written; these wait again, where they are still wanted. */
  readonly write: () => Promise<void>;
}

/** When rows that are gathered in memory are written: together, one write at a time. Disposing writes what is left. */
export interface BatchWriter extends AsyncDisposable {
  /** A row waits. */
  added(): void;
  /** Writes at once what waits now; answers when it was tried. */
  flush(): Promise<void>;
}

export function createBatchWriter(options: BatchWriterOptions): BatchWriter {
  const { clock, rows } = options;
  let timer: Disposable | undefined;
  let writing: Promise<void> | undefined;
  /** The last write failed. */
  let resting = false;
  let disposed = false;

  const arm = (): void => {
    if (disposed || writing !== undefined) return;
    timer ??= clock.after(resting ? options.retryMs : options.afterMs, () => void start());
  };
  const write = async (): Promise<void> => {
    resting = false;
    try {
      await options.write();
    } catch {
      resting = true;
    }
    writing = undefined;
    if (rows() > 0) arm();
  };
  const start = (): Promise<void> => {
    timer?.[Symbol.dispose]();
    timer = undefined;
    return (writing ??= write());
  };
  return {
    added() {
      if (rows() >= options.fullRows && !resting) void start();
      else arm();
    },
    async flush() {
      await writing;
      if (rows() > 0) await start();
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
      await writing;
      if (rows() > 0) await start();
      timer?.[Symbol.dispose]();
    },
  };
}
