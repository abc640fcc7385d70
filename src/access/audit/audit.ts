import type { AuditPruning } from '../../metadata/contract/access-metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Audit, AuditEntry } from '../access.ts';
import { createRepeats, type NewAuditRow } from './repeats.ts';

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
  let timer: Disposable | undefined;
  let writing: Promise<void> | undefined;
  let resting = false;
  let disposed = false;

  const enqueue = (row: NewAuditRow): void => {
    if (queue.length >= rowsKeptMax) dropped += row.count;
    else queue.push(row);
    if (queue.length >= flushRows && !resting) void start();
    else arm(resting ? retryAfterMs : flushAfterMs);
  };
  const arm = (afterMs: number): void => {
    if (!disposed && !writing) timer ??= clock.after(afterMs, () => void start());
  };
  const write = async (): Promise<void> => {
    while (queue.length > 0) {
      const rows = queue.slice(0, flushRows);
      try {
        await append(rows);
      } catch (error) {
        resting = true;
        onFailure('the audit could not be written; it is kept and tried again', error);
        break;
      }
      queue = queue.slice(rows.length);
    }
    if (dropped > 0) onFailure(`${dropped} entries of the audit were dropped`, undefined);
    dropped = 0;
  };
  const start = (): Promise<void> => {
    timer?.[Symbol.dispose]();
    timer = undefined;
    resting = false;
    writing ??= write().finally(() => {
      writing = undefined;
      if (queue.length > 0) arm(resting ? retryAfterMs : flushAfterMs);
    });
    return writing;
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
      disposed = true;
      pruning[Symbol.dispose]();
      repeats.end();
      await writing;
      if (queue.length > 0) await start();
      timer?.[Symbol.dispose]();
    },
  };
}

function pruneHourly({ prune, clock, onFailure }: AuditRecorderOptions): Disposable {
  const begunAt = clock.now() - clock.elapsed();
  const all = async (): Promise<void> => {
    // A clock that is set forward by mistake must not make everything old.
    const now = Math.min(clock.now(), begunAt + clock.elapsed());
    for (const { forMs, ...rest } of kept) await prune({ ...rest, before: now - forMs, now });
  };
  const later = (afterMs: number): Disposable =>
    clock.after(afterMs, () => {
      timer = later(hourMs);
      all().catch((error: unknown) => onFailure('old audit rows could not be dropped', error));
    });
  let timer = later(firstPruneAfterMs);
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
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
