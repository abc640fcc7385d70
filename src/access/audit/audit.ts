import { createBatchWriter } from '../../coordination/batch-writer.ts';
import { repeat } from '../../coordination/repeat.ts';
import { createSteadyTime } from '../../coordination/steady-time.ts';
import type { AuditPruning } from '../../metadata/contract/rows.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Audit, AuditEntry } from '../access.ts';
import { createRepeats } from './repeats.ts';
import type { NewAuditRow } from './repeats.ts';

const flushAfterMs = 1000;
const retryAfterMs = 5000;
/** Rows that are written before their time, and at once. */
const flushRows = 200;
/** Rows kept while they can't be written; entries beyond are counted and not recorded. */
const rowsKeptMax = 10_000;
const textCharactersMax = 512;
const detailKeysMax = 20;

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** What a start has to do comes first. */
const firstPruneAfterMs = 300_000;

/**
 * How long rows stay, and how many of a kind at most, the newest. What anonymous requests leave takes nothing from the rest, and
 * nothing takes from the changes.
 */
const kept: readonly (Pick<AuditPruning, 'kind' | 'rowsMax'> & { readonly forMs: number })[] = [
  { kind: 'anonymousDenial', forMs: 30 * dayMs, rowsMax: 100_000 },
  { kind: 'denial', forMs: 90 * dayMs, rowsMax: 500_000 },
  { kind: 'login', forMs: 90 * dayMs, rowsMax: 500_000 },
  { kind: 'change', forMs: 400 * dayMs, rowsMax: 5_000_000 },
];

export interface AuditRecorderOptions {
  readonly append: (rows: readonly NewAuditRow[]) => Promise<void>;
  readonly prune: (input: AuditPruning) => Promise<void>;
  readonly clock: Clock;
  /** One line for the log each time rows could not be written or were dropped. */
  readonly onFailure: (message: string, error: unknown) => void;
}

/** Disposing writes what is left. */
export interface AuditRecorder extends Audit, AsyncDisposable {}

/**
 * Writes the audit within a second, 200 rows at a time. A change is a row of its own. Of identical denials and logins the first is
 * a row at once and the others of its minute are one more, with their count: a crash loses a second, and the counts of a minute.
 */
export function createAuditRecorder(options: AuditRecorderOptions): AuditRecorder {
  const { append, clock, onFailure } = options;
  let queue: NewAuditRow[] = [];
  let dropped = 0;

  const write = async (): Promise<void> => {
    try {
      while (queue.length > 0) {
        const rows = queue.slice(0, flushRows);
        await append(rows);
        queue = queue.slice(rows.length);
      }
    } catch (error) {
      onFailure('the audit could not be written; it is kept and tried again', error);
      throw error;
    } finally {
      if (dropped > 0) onFailure(`${dropped} entries of the audit were dropped`, undefined);
      dropped = 0;
    }
  };
  const writer = createBatchWriter({
    clock,
    afterMs: flushAfterMs,
    retryMs: retryAfterMs,
    fullRows: flushRows,
    rows: () => queue.length,
    write,
  });
  const enqueue = (row: NewAuditRow): void => {
    if (queue.length >= rowsKeptMax) dropped += row.count;
    else queue.push(row);
    writer.added();
  };
  const repeats = createRepeats(clock, enqueue);
  const pruning = pruneHourly(options);
  return {
    record(entry) {
      const row = rowOf(entry, clock.now());
      if (entry.kind === 'change') enqueue(row);
      else repeats.add(row);
    },
    async [Symbol.asyncDispose]() {
      pruning[Symbol.dispose]();
      repeats.end();
      await writer[Symbol.asyncDispose]();
    },
  };
}

function pruneHourly({ prune, clock, onFailure }: AuditRecorderOptions): Disposable {
  const steadyTime = createSteadyTime(clock);
  const all = async (): Promise<void> => {
    const now = steadyTime();
    for (const { forMs, ...rest } of kept) await prune({ ...rest, before: now - forMs, now });
  };
  const work = (): void =>
    void all().catch((error: unknown) => onFailure('old audit rows could not be dropped', error));
  return repeat(clock, hourMs, work, firstPruneAfterMs);
}

function rowOf(entry: AuditEntry, at: number): NewAuditRow {
  const detail = Object.entries(entry.detail)
    .slice(0, detailKeysMax)
    .map(([key, value]) => [key, typeof value === 'string' ? bounded(value) : value] as const);
  return {
    at,
    kind: entry.kind,
    principal: bounded(entry.principal),
    action: bounded(entry.action),
    resource: bounded(entry.resource),
    registry: entry.registry,
    outcome: entry.outcome,
    address: bounded(entry.address),
    requestId: bounded(entry.requestId),
    detail: JSON.stringify(Object.fromEntries(detail)),
    count: 1,
  };
}

function bounded(text: string): string {
  return text.length <= textCharactersMax ? text : `${text.slice(0, textCharactersMax - 1)}…`;
}
