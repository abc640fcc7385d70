import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { until } from '../../tests/support/rigs/until.ts';
import { createLocalLeases } from '../coordination/local-leases.ts';
import { callsKeptMs } from '../metadata/contract/calls.ts';
import { startCallPruning } from './prune-calls.ts';

const minuteMs = 60_000;

test('What is kept of calls goes when it is 15 minutes old, or of a time that has not come, by a clock that jumps nowhere.', async () => {
  const clock = createFakeClock();
  const leases = createLocalLeases(clock);
  const pruned: { readonly before: number; readonly after: number }[] = [];
  const failures: string[] = [];
  const outcome = { fails: false };
  const pruning = startCallPruning({
    clock,
    leases,
    metadata: {
      calls: {
        pruneCalls: async (input) => {
          if (outcome.fails) throw new Error('the disk is gone');
          pruned.push(input);
        },
      },
    },
    failed: (message, { error }) => failures.push(`${message}: ${error}`),
  });
  const advance = async (ms: number): Promise<void> => {
    clock.advance(ms);
    const lease = await until(() => leases.take('prune calls', 1));
    await lease[Symbol.asyncDispose]();
  };
  const began = clock.now();
  const at = (now: number) => ({ before: now - callsKeptMs, after: now + callsKeptMs });
  await advance(5 * minuteMs);
  clock.setNow(clock.now() + 24 * 60 * minuteMs);
  await advance(minuteMs);
  outcome.fails = true;
  await advance(minuteMs);
  await pruning[Symbol.asyncDispose]();
  await advance(minuteMs);
  deepEqual(pruned, [at(began + 5 * minuteMs), at(began + 6 * minuteMs)]);
  deepEqual(failures, ['records of earlier calls could not be removed: the disk is gone']);
});
