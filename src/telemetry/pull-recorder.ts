import { createBatchWriter } from '../coordination/batch-writer.ts';
import { repeat } from '../coordination/repeat.ts';
import { createSteadyTime } from '../coordination/steady-time.ts';
import { sourceOf } from '../domain/names/client-source.ts';
import type { PullRecord } from '../domain/pull-record.ts';
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

/** What of a pull's record is the same for every client. */
type Pulled = Pick<PullRecord, 'registry' | 'ns' | 'image' | 'digest' | 'verdict'>;

export class PulledImage {
  readonly pulled: Pulled;
  #hour: number | undefined;
  #key = '';

  constructor(pulled: Pulled) {
    this.pulled = pulled;
  }

  /** By which its pulls within one hour are found. */
  keyIn(hour: number): string {
    if (hour !== this.#hour) {
      this.#hour = hour;
      const { registry, ns, image, digest, verdict } = this.pulled;
      this.#key = `${registry}\n${hour}\n${ns}\n${image}\n${digest}\n${verdict}`;
    }
    return this.#key;
  }
}

/** Pulls of one image from one address by one principal within one hour. */
interface Row {
  readonly image: PulledImage;
  readonly clientAddress: string;
  readonly principal: string | undefined;
  at: number;
  count: number;
  /** The same from this address by another principal. */
  next: Row | undefined;
}

export interface PullRecorderOptions {
  readonly clock: Clock;
  readonly record: (pulls: readonly PullRecord[]) => Promise<void>;
  readonly prune: (input: {
    readonly before: number;
    readonly now: number;
    readonly rowsMax: number;
  }) => Promise<void>;
  readonly onFailure: (message: string, error: unknown) => void;
}

/** Gathers pulls and writes them every 10 s, which is what a crash may lose. Disposing writes what is left. */
export interface PullRecorder extends AsyncDisposable {
  /** `principal`: as the audit has it; `undefined`: nobody in particular. `at`: wall ms. */
  add(image: PulledImage, clientAddress: string, principal: string | undefined, at: number): void;
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
        await record(
          some.map(({ image, clientAddress, principal, at, count }) => ({
            ...image.pulled,
            clientAddress,
            ...(principal === undefined ? {} : { principal }),
            at,
            count,
          })),
        );
        await pruning.stored(some.length);
      }
    } catch (error) {
      for (const { image, clientAddress, principal, at, count } of pulls.slice(written))
        rows.add(image, clientAddress, principal, at, count, rowsKeptMax);
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
    add(image, clientAddress, principal, at) {
      rows.add(image, clientAddress, principal, at, 1, rowsPerSource);
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
  /** By image and hour, then by client. */
  readonly #rows = new Map<string, Map<string, Row>>();
  readonly #ofSource = new Map<string, number>();
  #size = 0;
  #characters = 0;
  #dropped = 0;

  get size(): number {
    return this.#size;
  }

  /** `sourceRows`: so many rows its client may have; what goes beyond a bound is dropped. */
  add(
    image: PulledImage,
    clientAddress: string,
    principal: string | undefined,
    at: number,
    times: number,
    sourceRows: number,
  ): void {
    const key = image.keyIn(Math.floor(at / hourMs));
    let known = this.#rows.get(key)?.get(clientAddress);
    while (known !== undefined && known.principal !== principal) known = known.next;
    if (known === undefined)
      return this.#addRow(
        key,
        { image, clientAddress, principal, at, count: times, next: undefined },
        sourceRows,
      );
    known.at = Math.max(known.at, at);
    known.count += times;
  }

  #addRow(key: string, row: Row, sourceRows: number): void {
    const { clientAddress } = row;
    const source = sourceOf(clientAddress);
    const ofSource = this.#ofSource.get(source) ?? 0;
    const characters = key.length + clientAddress.length + (row.principal?.length ?? 0);
    const fits = this.#size < rowsKeptMax && this.#characters + characters <= charactersKeptMax;
    if (!fits || ofSource >= sourceRows) {
      this.#dropped += 1;
      return;
    }
    const clients = this.#rows.get(key);
    if (clients === undefined) this.#rows.set(key, new Map([[clientAddress, row]]));
    else {
      row.next = clients.get(clientAddress);
      clients.set(clientAddress, row);
    }
    this.#size += 1;
    this.#characters += characters;
    this.#ofSource.set(source, ofSource + 1);
  }

  takeAll(): readonly Row[] {
    const all: Row[] = [];
    for (const clients of this.#rows.values())
      for (const first of clients.values())
        for (let row: Row | undefined = first; row !== undefined; row = row.next) all.push(row);
    this.#rows.clear();
    this.#ofSource.clear();
    this.#size = 0;
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
