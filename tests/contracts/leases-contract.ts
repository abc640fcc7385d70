import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Lease, Leases } from '../../src/ports/leases.ts';
import type { FakeClock } from '../support/rigs/fake-clock.ts';

/** Leases of one database. `pass` lets time go by for whoever holds one and for whoever asks. */
export interface LeasesRig extends AsyncDisposable {
  readonly leases: Leases;
  readonly pass: (ms: number) => Promise<void>;
}

/** The rig of an implementation that has no other time than the clock's. */
export function turnedByHand(clock: FakeClock, leases: Leases): LeasesRig {
  return {
    leases,
    pass: async (ms) => clock.advance(ms),
    [Symbol.asyncDispose]: async () => {},
  };
}

const forMs = 1000;

/** What every implementation keeps to (src/ports/leases.ts). */
export function leasesContract(name: string, make: () => Promise<LeasesRig>): void {
  const row = (sentence: string, body: (rig: LeasesRig) => Promise<void>): void => {
    test(`${name}: ${sentence}`, async () => {
      await using rig = await make();
      await body(rig);
    });
  };

  row('a name that is taken is not taken again', async ({ leases }) => {
    await using lease = await taken(leases, 'prune');
    assert.equal(await leases.take('prune', forMs), undefined);
    assert.equal(lease.lost.aborted, false);
  });

  row('of two that ask at once one gets it', async ({ leases }) => {
    const both = await Promise.all([leases.take('prune', forMs), leases.take('prune', forMs)]);
    assert.equal(both.filter((each) => each !== undefined).length, 1);
  });

  row('another name is another lease', async ({ leases }) => {
    await using _ = await taken(leases, 'prune');
    await using other = await taken(leases, 'Prune ');
    assert.equal(other.lost.aborted, false);
  });

  row('one that was disposed is free at once, and was not lost', async ({ leases, pass }) => {
    const lease = await taken(leases, 'prune');
    await lease[Symbol.asyncDispose]();
    await lease[Symbol.asyncDispose]();
    await using next = await taken(leases, 'prune');
    await pass(forMs / 2);
    assert.deepEqual([lease.lost.aborted, next.lost.aborted], [false, false]);
    assert.equal(await lease.renew(), false);
  });

  row('one that is not renewed ends: its holder knows before another has it', async (rig) => {
    const lease = await taken(rig.leases, 'prune');
    await rig.pass(forMs / 2);
    assert.equal(lease.lost.aborted, false);
    await rig.pass(forMs);
    assert.equal(lease.lost.aborted, true);
    await using next = await taken(rig.leases, 'prune');
    assert.equal(await lease.renew(), false);
    await lease[Symbol.asyncDispose]();
    assert.equal(await rig.leases.take('prune', forMs), undefined);
    assert.equal(await next.renew(), true);
  });

  row('one that is renewed in time goes on', async ({ leases, pass }) => {
    await using lease = await taken(leases, 'prune');
    for (let times = 0; times < 5; times += 1) {
      await pass(forMs * 0.6);
      assert.equal(await lease.renew(), true);
    }
    assert.equal(lease.lost.aborted, false);
    assert.equal(await leases.take('prune', forMs), undefined);
  });

  row('each lease of a name has a higher fence than all before it', async (rig) => {
    const fences: number[] = [];
    for (const ends of ['disposed', 'expired', 'disposed']) {
      const lease = await taken(rig.leases, 'prune');
      fences.push(lease.fence);
      if (ends === 'disposed') await lease[Symbol.asyncDispose]();
      else await rig.pass(forMs * 1.5);
    }
    assert.deepEqual(
      fences,
      [...new Set(fences)].toSorted((one, other) => one - other),
    );
  });

  test(`${name}: whatever holders do, at most one of a name is in force, and fences rise`, async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('take' as const), name: fc.constantFrom('a', 'b') }),
      fc.record({ do: fc.constantFrom('renew', 'dispose'), which: fc.nat(5) }),
      fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 1500 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        await using rig = await make();
        const all: { readonly name: string; readonly lease: Lease; disposed: boolean }[] = [];
        for (const each of steps) {
          if ('name' in each) {
            const inForce = all.find(
              ({ name: held, lease, disposed }) =>
                held === each.name && !disposed && !lease.lost.aborted,
            );
            const lease = await rig.leases.take(each.name, forMs);
            assert.equal(lease === undefined, inForce !== undefined);
            if (lease === undefined) continue;
            for (const before of all.filter(({ name: held }) => held === each.name))
              assert.ok(before.lease.fence < lease.fence);
            all.push({ name: each.name, lease, disposed: false });
          } else if ('ms' in each) await rig.pass(each.ms);
          else {
            const one = all[each.which];
            if (one === undefined) continue;
            if (each.do === 'renew')
              assert.equal(await one.lease.renew(), !one.disposed && !one.lease.lost.aborted);
            else {
              await one.lease[Symbol.asyncDispose]();
              one.disposed = true;
            }
          }
        }
      }),
      { numRuns: 200 },
    );
  });
}

async function taken(leases: Leases, name: string): Promise<Lease> {
  const lease = await leases.take(name, forMs);
  assert.ok(lease !== undefined, `${name} is free`);
  return lease;
}
