import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { reservedOf } from './lane-order.ts';
import type { Slot } from './lanes.ts';
import { Lanes } from './lanes.ts';

const never = new AbortController().signal;

/** What happens to a lane: `at` says to whom, of those that are there. */
const step = fc.record({
  what: fc.constantFrom('enter', 'enter', 'offer', 'release', 'release', 'leave', 'change'),
  wanted: fc.boolean(),
  load: fc.nat({ max: 3 }),
  at: fc.nat({ max: 20 }),
});

interface Entrant {
  wanted: boolean;
  readonly leaving: AbortController;
  slot: Slot | undefined;
  over: boolean;
}

suite('the connections of one upstream', () => {
  test('whatever comes, goes and changes: never more than the limit, and none lies idle while somebody may have it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.array(step, { maxLength: 60 }),
        async (limit, steps) => {
          const lanes = new Lanes();
          const entrants: Entrant[] = [];
          const taken: Slot[] = [];
          const takers: { wanted: boolean; load: number }[] = [];
          const held = (): Entrant[] =>
            entrants.filter((one) => one.slot !== undefined && !one.over);
          const waiting = (): Entrant[] =>
            entrants.filter((one) => one.slot === undefined && !one.over);
          const pick = <T>(list: readonly T[], at: number): T | undefined => list[at % list.length];
          const act = async ({ what, wanted, load, at }: (typeof steps)[number]): Promise<void> => {
            if (what === 'enter') {
              const one: Entrant = {
                wanted,
                leaving: new AbortController(),
                slot: undefined,
                over: false,
              };
              entrants.push(one);
              const entry = {
                limit,
                get wanted() {
                  return one.wanted;
                },
                waits: () => {},
              };
              lanes.enter('up', entry, one.leaving.signal).then(
                (slot) => (one.slot = slot),
                () => (one.over = true),
              );
            } else if (what === 'offer') {
              const taker = {
                limit,
                wanted,
                load,
                take(slot: Slot) {
                  taker.load -= 1;
                  taken.push(slot);
                },
              };
              takers.push(taker);
              lanes.offer('up', taker);
            } else if (what === 'release') {
              const one = pick(held(), at);
              if (one !== undefined) one.over = true;
              (one?.slot ?? taken.shift())?.[Symbol.dispose]();
            } else if (what === 'leave') pick(waiting(), at)?.leaving.abort(new Error('left'));
            else {
              const one = pick(waiting(), at);
              if (one !== undefined) one.wanted = wanted;
              lanes.reconsider('up');
            }
            // Admissions are told by promises.
            await new Promise((resolve) => setImmediate(resolve));
            const active = held().length + taken.length;
            assert.ok(active <= limit, `${active} of ${limit}`);
            for (const one of [...waiting(), ...takers.filter((each) => each.load > 0)])
              assert.ok(
                active >= (one.wanted ? limit : limit - reservedOf(limit)),
                'one lies idle',
              );
          };
          for (const each of steps) await act(each);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a taker that gives its place back at once does not keep others waiting', async () => {
    const lanes = new Lanes();
    const entry = { limit: 2, wanted: true, waits: () => {} };
    const first = await lanes.enter('up', entry, never);
    let offered = 0;
    const taker = {
      limit: 2,
      wanted: true,
      get load() {
        return offered < 3 ? 1 : 0;
      },
      take(slot: Slot) {
        offered += 1;
        slot[Symbol.dispose]();
      },
    };
    using _offer = lanes.offer('up', taker);
    assert.equal(offered, 3);
    using _second = await lanes.enter('up', entry, never);
    first[Symbol.dispose]();
  });
});
