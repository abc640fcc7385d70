import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { until } from '../../tests/support/rigs/until.ts';
import { createLocalLeases } from '../coordination/local-leases.ts';
import { startSecretPurge } from './purge-secrets.ts';

const dayMs = 86_400_000;

function createRig() {
  const clock = createFakeClock();
  const leases = createLocalLeases(clock);
  const rig = { clock, leases, purged: [] as number[], failures: [] as string[], fails: false };
  const purgeSecrets = async ({ now }: { readonly now: number }): Promise<void> => {
    if (rig.fails) throw new Error('the disk is gone');
    rig.purged.push(now);
  };
  const start = (): AsyncDisposable =>
    startSecretPurge({
      metadata: { secrets: { purgeSecrets } },
      leases,
      clock,
      failed: (message, { error }) => rig.failures.push(`${message}: ${error}`),
    });
  /** Turns the clock, and waits until what that has begun is over. */
  const advance = async (ms: number): Promise<void> => {
    clock.advance(ms);
    const lease = await until(() => leases.take('purge secrets', 1));
    await lease[Symbol.asyncDispose]();
  };
  return Object.assign(rig, { start, advance });
}

test('Deleted secrets are removed soon after a start, then once a day, until it ends.', async () => {
  const rig = createRig();
  const began = rig.clock.now();
  {
    await using _purge = rig.start();
    await rig.advance(dayMs / 2);
    await rig.advance(dayMs / 2 - 1);
    await rig.advance(dayMs);
  }
  await rig.advance(dayMs);
  deepEqual(rig.purged, [began + dayMs / 2, began + 2 * dayMs - 1]);
});

test('A clock that is set forward by mistake removes nothing before its time.', async () => {
  const rig = createRig();
  const began = rig.clock.now();
  await using _purge = rig.start();
  rig.clock.setNow(began + 365 * dayMs);
  await rig.advance(5 * 60_000);
  deepEqual(rig.purged, [began + 5 * 60_000]);
});

test('Another process that does it is left alone, and a failure is said and tried again.', async () => {
  const rig = createRig();
  await using _purge = rig.start();
  {
    await using _other = await rig.leases.take('purge secrets', dayMs);
    rig.clock.advance(5 * 60_000);
    await nextTurn();
  }
  deepEqual(rig.purged, []);
  rig.fails = true;
  await rig.advance(dayMs);
  deepEqual(rig.failures, ['deleted secrets could not be removed: the disk is gone']);
  rig.fails = false;
  await rig.advance(dayMs);
  deepEqual(rig.purged.length, 1);
});
