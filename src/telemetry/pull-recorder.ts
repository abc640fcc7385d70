import { sourceOf } from '../domain/names/client-source.ts';
import type { Digest } from '../domain/names/digest.ts';
import type { RegistryKey } from '../domain/names/registry.ts';
import type { Verdict } from '../domain/verdict.ts';
import type { Clock } from '../ports/clock.ts';

const hourMs = 3_600_000;
const flushAfterMs = 10_000;
/** Distinct rows that are flushed before their time. */
const flushRows = 5000;
/** Distinct rows kept while they cannot be written, and the characters of their keys; pulls beyond are not recorded. */
const rowsKeptMax = 20_000;
const charactersKeptMax = 8 * 1024 * 1024;
/** Distinct rows that one client adds between two flushes; its pulls beyond are not recorded. */
const rowsPerSource = 1000;
const rowsPerWrite = 500;
/** So many rows may be stored beyond `rowsStoredMax` until the oldest go. */
const rowsPerPrune = 20_000;
const firstPruneAfterMs = 60_000;
const keepMs = 30 * 24 * hourMs;
const rowsStoredMax = 1_000_000;

/** Pulls of one image by one client within one hour; the metadata's `PullRecord` is this. */
export interface PullCount {
  readonly registry: RegistryKey;
  readonly clientAddress: string;
  readonly ns: string;
  readonly image: string;
  readonly digest: Digest | undefined;
  readonly verdict: Verdict;
  /** The last of them. */
  readonly at: number;
  readonly count: number;
}

/** A row that still counts. */
type Row = Omit<PullCount, 'at' | 'count'> & { at: number; count: number };

export interface PullRecorderOptions {
  readonly clock: Clock;
  readonly record: (pulls: readonly PullCount[]) => Promise<void>;
  readonly prune: (input: {
    readonly before: number;
    readonly now: number;
    readonly rowsMax: number;
  }) => Promise<void>;
  readonly onFailure: (message: string, error: unknown) => void;
}

/** Gathers pulls and writes them every 10 s, which is what a crash may lose. Disposing writes what is left. */
export interface PullRecorder extends AsyncDisposable {
  add(pull: Omit<PullCount, 'count'>): void;
}

export function createPullRecorder({
  clock,
  record,
  prune,
  onFailure,
}: PullRecorderOptions): PullRecorder {
  const begunAt = clock.now() - clock.elapsed();
  const rows = new Map<string, Row>();
  const rowsOfSource = new Map<string, number>();
  let characters = 0;
  /** Rows that may be new in the store since the oldest were last dropped. */
  let unpruned = 0;
  let timer: Disposable | undefined;
  let flushing: Promise<void> | undefined;
  let dropped = 0;
  /** After a failure the next attempt waits its time. */
  let resting = false;
  let disposed = false;

  const count = (pull: Omit<PullCount, 'count'>, times: number, sourceRows: number): void => {
    const hour = Math.floor(pull.at / hourMs);
    const key = `${pull.registry}\n${hour}\n${pull.clientAddress}\n${pull.ns}\n${pull.image}\n${pull.digest}\n${pull.verdict}`;
    const known = rows.get(key);
    if (known !== undefined) {
      known.at = Math.max(known.at, pull.at);
      known.count += times;
      return;
    }
    const source = sourceOf(pull.clientAddress);
    const ofSource = rowsOfSource.get(source) ?? 0;
    const fits = rows.size < rowsKeptMax && characters + key.length <= charactersKeptMax;
    if (!fits || ofSource >= sourceRows) {
      dropped += 1;
      return;
    }
    rows.set(key, { ...pull, count: times });
    characters += key.length;
    rowsOfSource.set(source, ofSource + 1);
  };
  const dropOld = async (): Promise<void> => {
    try {
      // A clock that is set forward by mistake must not make everything old.
      const now = Math.min(clock.now(), begunAt + clock.elapsed());
      await prune({ before: now - keepMs, now, rowsMax: rowsStoredMax });
      unpruned = 0;
    } catch (error) {
      onFailure('old pull records could not be dropped', error);
    }
  };
  const write = async (pulls: readonly PullCount[]): Promise<void> => {
    await record(pulls);
    unpruned += pulls.length;
    if (unpruned >= rowsPerPrune) await dropOld();
  };
  const flush = async (): Promise<void> => {
    const pulls = [...rows.values()];
    rows.clear();
    rowsOfSource.clear();
    characters = 0;
    for (let from = 0; from < pulls.length; from += rowsPerWrite) {
      try {
        await write(pulls.slice(from, from + rowsPerWrite));
      } catch (error) {
        resting = true;
        pulls.slice(from).forEach((pull) => count(pull, pull.count, rowsKeptMax));
        onFailure('pulls could not be recorded; they are kept and tried again', error);
        break;
      }
    }
    if (dropped > 0) onFailure(`${dropped} pulls were not recorded`, undefined);
    dropped = 0;
  };
  const start = (): Promise<void> => {
    timer?.[Symbol.dispose]();
    timer = undefined;
    resting = false;
    flushing ??= flush().finally(() => {
      flushing = undefined;
      if (rows.size > 0) arm();
    });
    return flushing;
  };
  const arm = (): void => {
    if (!disposed) timer ??= clock.after(flushAfterMs, () => void start());
  };
  const pruneLater = (afterMs: number): Disposable =>
    clock.after(afterMs, () => {
      pruning = pruneLater(hourMs);
      void dropOld();
    });
  let pruning = pruneLater(firstPruneAfterMs);
  return {
    add(pull) {
      count(pull, 1, rowsPerSource);
      if (rows.size >= flushRows && !flushing && !resting) void start();
      else if (!flushing) arm();
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
      pruning[Symbol.dispose]();
      await flushing;
      if (rows.size > 0) await start();
      timer?.[Symbol.dispose]();
    },
  };
}
