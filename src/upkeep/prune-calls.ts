import { errorText } from '../domain/error-text.ts';
import { callsKeptMs } from '../metadata/contract/calls.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import type { Clock } from '../ports/clock.ts';
import type { Leases } from '../ports/leases.ts';
import { startRecurring } from './recurring-work.ts';

const everyMs = 60_000;

export interface PruneCallsParts {
  readonly metadata: { readonly calls: Pick<Metadata['calls'], 'pruneCalls'> };
  readonly leases: Leases;
  readonly clock: Clock;
  /** One line for the log. */
  readonly failed: (message: string, about: Readonly<Record<string, string>>) => void;
}

/** Removes what was kept of calls for their clients to repeat them, when the time for it is over; and what a clock that was ahead has left. */
export function startCallPruning(parts: PruneCallsParts): AsyncDisposable {
  return startRecurring(parts, {
    name: 'prune calls',
    everyMs,
    run: async ({ now }) => {
      const at = Math.floor(now());
      const { calls } = parts.metadata;
      await calls.pruneCalls({ before: at - callsKeptMs, after: at + callsKeptMs });
    },
    failed: (error) =>
      parts.failed('records of earlier calls could not be removed', { error: errorText(error) }),
  });
}
