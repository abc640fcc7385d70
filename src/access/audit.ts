import type { AuditRow } from '../metadata/access-metadata.ts';
import type { Clock } from '../ports/clock.ts';
import type { Audit, AuditEntry } from './access.ts';

const flushAfterMs = 1000;
const retryAfterMs = 5000;
/** Rows that are written before their time, and at once. */
const flushRows = 200;
/** Rows kept while they can't be written; entries beyond are counted and not recorded. */
const rowsKeptMax = 10_000;
const minuteMs = 60_000;
/** Different denials and logins of a minute that become rows of their own; those beyond share one, which says how many. */
const differentPerMinuteMax = 1000;
const textCharactersMax = 512;
const detailKeysMax = 20;

type NewRow = Omit<AuditRow, 'id'>;

export interface AuditRecorderOptions {
  readonly append: (rows: readonly NewRow[]) => Promise<void>;
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
  let queue: NewRow[] = [];
  let dropped = 0;
  let timer: Disposable | undefined;
  let writing: Promise<void> | undefined;
  let resting = false;
  let disposed = false;

  const enqueue = (row: NewRow): void => {
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
  return {
    record(entry) {
      const row = rowOf(entry, clock.now());
      if (entry.kind === 'change') enqueue(row);
      else repeats.add(row);
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
      repeats.end();
      await writing;
      if (queue.length > 0) await start();
      timer?.[Symbol.dispose]();
    },
  };
}

interface Repeats {
  add(row: NewRow): void;
  end(): void;
}

/** Lets the first of identical rows through at once and gathers the others of its minute. */
function createRepeats(clock: Clock, enqueue: (row: NewRow) => void): Repeats {
  /** The row that stands for the repetitions; `undefined` until there is one. */
  const seen = new Map<string, NewRow | undefined>();
  let others: NewRow | undefined;
  let timer: Disposable | undefined;

  const end = (): void => {
    timer?.[Symbol.dispose]();
    timer = undefined;
    const rows = [...seen.values(), others].filter((row) => row !== undefined);
    seen.clear();
    others = undefined;
    rows.forEach(enqueue);
  };
  return {
    end,
    add(row) {
      timer ??= clock.after(minuteMs, end);
      const key = JSON.stringify({ ...row, at: 0, requestId: '' });
      if (seen.has(key)) {
        seen.set(key, { ...row, count: (seen.get(key)?.count ?? 0) + 1 });
      } else if (seen.size < differentPerMinuteMax) {
        seen.set(key, undefined);
        enqueue(row);
      } else {
        others = {
          ...row,
          principal: '*',
          action: '*',
          resource: '*',
          address: '*',
          detail: JSON.stringify({ because: 'more different ones than a minute keeps apart' }),
          count: (others?.count ?? 0) + 1,
        };
      }
    },
  };
}

function rowOf(entry: AuditEntry, at: number): NewRow {
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
