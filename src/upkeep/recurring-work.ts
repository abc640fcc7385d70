import { repeat } from '../coordination/repeat.ts';
import { createSteadyTime } from '../coordination/steady-time.ts';
import type { Clock } from '../ports/clock.ts';
import type { Lease, Leases } from '../ports/leases.ts';

/** What a start has to do comes first. */
const firstAfterMs = 5 * 60_000;
const leaseMs = 10 * 60_000;

export interface RecurringWork {
  /** Of the lease under which it is done. */
  readonly name: string;
  readonly everyMs: number;
  readonly run: (turn: Turn) => Promise<void>;
  /** Gets what `run` threw. */
  readonly failed: (error: unknown) => void;
}

/** What one run may use of the time. */
export interface Turn {
  /** Wall ms; a clock that is set forward while the process runs makes nothing old. */
  readonly now: () => number;
  readonly ended: AbortSignal;
  /** False where it was ended, or the lease was lost. */
  readonly mayGoOn: () => Promise<boolean>;
}

/** Does the work in one process of those that share a database, never twice at once. Disposing ends it after what is on its way. */
export function startRecurring(
  { clock, leases }: { readonly clock: Clock; readonly leases: Leases },
  { name, everyMs, run, failed }: RecurringWork,
): AsyncDisposable {
  const now = createSteadyTime(clock);
  const ending = new AbortController();
  const ended = ending.signal;
  let running: Promise<void> | undefined;
  const runUnderLease = async (): Promise<void> => {
    await using lease = await leases.take(name, leaseMs);
    if (lease !== undefined) await run({ now, ended, mayGoOn: () => isInForce(lease, ended) });
  };
  const work = (): void => {
    running ??= runUnderLease()
      .catch(failed)
      .finally(() => (running = undefined));
  };
  const timer = repeat(clock, everyMs, work, firstAfterMs);
  return {
    async [Symbol.asyncDispose]() {
      timer[Symbol.dispose]();
      ending.abort();
      await running;
    },
  };
}

async function isInForce(lease: Lease, ended: AbortSignal): Promise<boolean> {
  return !ended.aborted && !lease.lost.aborted && (await lease.renew());
}
