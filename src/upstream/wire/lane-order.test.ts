import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import type { LaneState, Turn } from './lane-order.ts';
import { nextTurn, reservedOf } from './lane-order.ts';

const limit = fc.integer({ min: 1, max: 40 });
const applicant = fc.record({ limit, wanted: fc.boolean() });
const seeker = fc.record({ limit, wanted: fc.boolean(), load: fc.nat({ max: 100 }) });
const state = fc.record({
  active: fc.nat({ max: 45 }),
  waiters: fc.array(applicant, { maxLength: 8 }),
  seekers: fc.array(seeker, { maxLength: 8 }),
});

const fits = (one: LaneState['waiters'][number], active: number): boolean =>
  active < (one.wanted ? one.limit : one.limit - reservedOf(one.limit));

/** Checks what `holds` says of every state and its turn. */
function always(holds: (state: LaneState, turn: Turn | undefined) => boolean): void {
  fc.assert(fc.property(state, (each) => holds(each, nextTurn(each))));
}

const chosen = (each: LaneState, turn: Turn) =>
  'waiter' in turn ? each.waiters[turn.waiter]! : each.seekers[turn.seeker]!;

suite('who gets a connection next', () => {
  test('nobody beyond its limit, and what no client waits for leaves its share free', () => {
    always((each, turn) => turn === undefined || fits(chosen(each, turn), each.active));
  });

  test('a place is left free only where nobody may have it', () => {
    always((each, turn) => {
      const could = [...each.waiters, ...each.seekers.filter((one) => one.load > 0)];
      return (turn === undefined) === !could.some((one) => fits(one, each.active));
    });
  });

  test('what no client waits for never goes before what one waits for', () => {
    always((each, turn) => {
      if (turn === undefined || chosen(each, turn).wanted) return true;
      const rivals = [...each.waiters, ...each.seekers.filter((one) => one.load > 0)];
      return !rivals.some((one) => one.wanted && fits(one, each.active));
    });
  });

  test('a further connection never goes before a first one that is wanted as much', () => {
    always((each, turn) => {
      if (turn === undefined || 'waiter' in turn) return true;
      const { wanted } = chosen(each, turn);
      return !each.waiters.some((one) => one.wanted === wanted && fits(one, each.active));
    });
  });

  test('of those that wait the longest waiting, of those that seek the most loaded', () => {
    always((each, turn) => {
      if (turn === undefined) return true;
      const { wanted } = chosen(each, turn);
      const rival = (one: LaneState['waiters'][number]): boolean =>
        one.wanted === wanted && fits(one, each.active);
      if ('waiter' in turn) return each.waiters.findIndex(rival) === turn.waiter;
      const most = Math.max(...each.seekers.filter(rival).map((one) => one.load));
      return each.seekers[turn.seeker]!.load === most;
    });
  });

  test('a client that comes finds a connection free, however much is fetched for nobody', () => {
    for (const places of [2, 3, 4, 8, 16, 1024]) {
      let active = 0;
      const nobody = { limit: places, wanted: false };
      const hungry = { ...nobody, load: 1 };
      while (nextTurn({ active, waiters: [nobody], seekers: [hungry] }) !== undefined) active += 1;
      const turn = nextTurn({
        active,
        waiters: [nobody, { limit: places, wanted: true }],
        seekers: [],
      });
      assert.deepEqual([turn, active > 0], [{ waiter: 1 }, true], `${places} places`);
    }
  });

  test('the only connection there is goes to what nobody waits for too', () => {
    assert.deepEqual(nextTurn({ active: 0, waiters: [{ limit: 1, wanted: false }], seekers: [] }), {
      waiter: 0,
    });
  });
});
