import { createBatchWriter } from '../coordination/batch-writer.ts';
import { repeat } from '../coordination/repeat.ts';
import { createSteadyTime } from '../coordination/steady-time.ts';
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

export function createPullRecorder(options: PullRecorderOptions): PullRecorder {
  const { clock, record, onFailure } = options;
  const rows = new PullRows();
  const pruning = createPruning(options);
  const write = async (): Promise<void> => {
    const pulls = rows.takeAll();
    let written = 0;
    try {
      for (; written < pulls.length; written += rowsPerWrite) {
        const some = pulls.slice(written, written + rowsPerWrite);
        await record(some);
        await pruning.stored(some.length);
      }
    } catch (error) {
      for (const pull of pulls.slice(written)) rows.add(pull, pull.count, rowsKeptMax);
      onFailure('pulls could not be recorded; they are kept and tried again', error);
      throw error;
    } finally {
      const dropped = rows.takeDropped();
      if (dropped > 0) onFailure(`${dropped} pulls were not recorded`, undefined);
    }
  };
  const writer = createBatchWriter({
    clock,
    afterMs: flushAfterMs,
    retryMs: flushAfterMs,
    fullRows: flushRows,
    rows: () => rows.size,
    write,
  });
  return {
    add(pull) {
      rows.add(pull, 1, rowsPerSource);
      writer.added();
    },
    async [Symbol.asyncDispose]() {
      pruning[Symbol.dispose]();
      await writer[Symbol.asyncDispose]();
    },
  };
}

/** The rows that wait, each once with its count. */
class PullRows {
  readonly #rows = new Map<string, Row>();
  readonly #ofSource = new Map<string, number>();
  #characters = 0;
  #dropped = 0;

  get size(): number {
    return this.#rows.size;
  }

  /** `sourceRows`: so many rows its client may have; what goes beyond a bound is dropped. */
  add(pull: Omit<PullCount, 'count'>, times: number, sourceRows: number): void {
    const hour = Math.floor(pull.at / hourMs);
    const key = `${pull.registry}\n${hour}\n${pull.clientAddress}\n${pull.ns}\n${pull.image}\n${pull.digest}\n${pull.verdict}`;
    const known = this.#rows.get(key);
    if (known !== undefined) {
      known.at = Math.max(known.at, pull.at);
      known.count += times;
      return;
    }
    const source = sourceOf(pull.clientAddress);
    const ofSource = this.#ofSource.get(source) ?? 0;
    const fits =
      this.#rows.size < rowsKeptMax && this.#characters + key.length <= charactersKeptMax;
    if (!fits || ofSource >= sourceRows) {
      this.#dropped += 1;
      return;
    }
    this.#rows.set(key, { ...pull, count: times });
    this.#characters += key.length;
    this.#ofSource.set(source, ofSource + 1);
  }

  takeAll(): readonly PullCount[] {
    const all = [...this.#rows.values()];
    this.#rows.clear();
    this.#ofSource.clear();
    this.#characters = 0;
    return all;
  }

  /** How many were dropped since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }
}

interface Pruning extends Disposable {
  /** So many rows more may be in the store. */
  stored(rows: number): Promise<void>;
}

/** Drops the oldest rows hourly, and whenever there may be too many new ones. */
function createPruning({ clock, prune, onFailure }: PullRecorderOptions): Pruning {
  const now = createSteadyTime(clock);
  let unpruned = 0;
  const dropOld = async (): Promise<void> => {
    try {
      await prune({ before: now() - keepMs, now: now(), rowsMax: rowsStoredMax });
      unpruned = 0;
    } catch (error) {
      onFailure('old pull records could not be dropped', error);
    }
  };
  const hourly = repeat(clock, hourMs, () => void dropOld(), firstPruneAfterMs);
  return {
    async stored(rows) {
      unpruned += rows;
      if (unpruned >= rowsPerPrune) await dropOld();
    },
    [Symbol.dispose]: () => hourly[Symbol.dispose](),
  };
}
