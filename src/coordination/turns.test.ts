import { deepEqual, equal, rejects } from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { Turns } from './turns.ts';

const never = new AbortController().signal;
const settle = () => new Promise((resolve) => setImmediate(resolve));

function start(atOnce: number) {
  const clock = createFakeClock();
  const late = (key: string): Error => new Error(`${key} is late`);
  const turns = new Turns(clock, { atOnce, patience: { ms: 10_000, late } });
  return { clock, turns };
}

suite('turns', () => {
  test('so many go at once, and the others follow in their order', async () => {
    const { turns } = start(2);
    const begun: string[] = [];
    const ends: Disposable[] = [];
    for (const name of ['a', 'b', 'c', 'd'])
      void turns.take('x', never).then((turn) => {
        begun.push(name);
        ends.push(turn);
      });
    await settle();
    deepEqual([begun, turns.waiting('x'), turns.isFull('x')], [['a', 'b'], 2, true]);
    ends[1]?.[Symbol.dispose]();
    await settle();
    deepEqual(begun, ['a', 'b', 'c']);
    ends[0]?.[Symbol.dispose]();
    await settle();
    deepEqual([begun, turns.waiting('x'), turns.running('x')], [['a', 'b', 'c', 'd'], 0, 2]);
  });

  test('one key holds up no other', async () => {
    const { turns } = start(1);
    await turns.take('x', never);
    await turns.take('y', never);
    deepEqual([turns.isFull('x'), turns.isFull('y'), turns.isFull('z')], [true, true, false]);
  });

  test('who comes last waits behind all others, and for as long as it takes', async () => {
    const { clock, turns } = start(1);
    const first = await turns.take('x', never);
    const begun: string[] = [];
    const background = turns.takeLast('x', never).then((turn) => {
      begun.push('background');
      return turn;
    });
    clock.advance(60_000);
    const client = turns.take('x', never).then((turn) => {
      begun.push('client');
      return turn;
    });
    first[Symbol.dispose]();
    (await client)[Symbol.dispose]();
    await background;
    deepEqual(begun, ['client', 'background']);
  });

  test('a turn that does not come in time is late', async () => {
    const { clock, turns } = start(1);
    const first = await turns.take('x', never);
    const refused = rejects(turns.take('x', never), { message: 'x is late' });
    clock.advance(9999);
    equal(clock.pending, 1);
    clock.advance(1);
    await refused;
    first[Symbol.dispose]();
    equal(turns.running('x'), 0, 'nobody has the turn of one who left');
  });

  test('a turn that comes in time leaves no timer and no listener behind', async () => {
    const { clock, turns } = start(1);
    const first = await turns.take('x', never);
    const leaving = new AbortController();
    const waiting = turns.take('x', leaving.signal);
    first[Symbol.dispose]();
    await waiting;
    equal(clock.pending, 0);
    equal(getEventListeners(leaving.signal, 'abort').length, 0);
  });

  test('a turn that came in the same step as the end of the wait is kept', async () => {
    const { clock, turns } = start(1);
    const first = await turns.take('x', never);
    const waiting = turns.take('x', never);
    await settle();
    first[Symbol.dispose]();
    clock.advance(10_000);
    await waiting;
    equal(turns.running('x'), 1);
  });

  test('a turn that ends in the same step as the end of the wait is the next one’s', async () => {
    const { clock, turns } = start(1);
    const first = await turns.take('x', never);
    const late = rejects(turns.take('x', never), /late/);
    clock.advance(5000);
    const second = turns.take('x', never);
    clock.advance(5000);
    first[Symbol.dispose]();
    await second;
    await late;
  });

  test('a turn that is disposed twice ends once', async () => {
    const { turns } = start(1);
    const first = await turns.take('x', never);
    const [second, third] = [turns.take('x', never), turns.take('x', never)];
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    (await second)[Symbol.dispose]();
    await third;
    first[Symbol.dispose]();
    deepEqual([turns.running('x'), turns.waiting('x')], [1, 0]);
    const fourth = turns.take('x', never);
    first[Symbol.dispose]();
    equal(turns.waiting('x'), 1);
    (await third)[Symbol.dispose]();
    await fourth;
  });

  test('who leaves makes room for those behind, and is told its own reason', async () => {
    const { turns } = start(1);
    const first = await turns.take('x', never);
    const leaving = new AbortController();
    const left = rejects(turns.take('x', leaving.signal), /left/);
    const next = turns.take('x', never);
    leaving.abort(new Error('left'));
    await left;
    first[Symbol.dispose]();
    await next;
    await rejects(turns.take('y', leaving.signal), /left/);
    equal(turns.running('y'), 0);
  });

  test('all who wait for a key are refused at once; who has a turn keeps it', async () => {
    const { turns } = start(1);
    await turns.take('x', never);
    const waiting = [turns.take('x', never), turns.takeLast('x', never)];
    turns.refuse('x', new Error('gone'));
    for (const one of waiting) await rejects(one, /gone/);
    deepEqual([turns.running('x'), turns.waiting('x')], [1, 0]);
  });

  test('whatever comes and goes, no more than allowed go at once and none is forgotten', async () => {
    const steps = fc.array(fc.constantFrom('take', 'last', 'leave', 'end'), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 3 }), async (all, atOnce) => {
        const { turns } = start(atOnce);
        const running: Disposable[] = [];
        const leaving: AbortController[] = [];
        let left = 0;
        let asked = 0;
        let ended = 0;
        for (const step of all) {
          if (step === 'end') {
            const turn = running.shift();
            if (turn !== undefined) ended += 1;
            turn?.[Symbol.dispose]();
          } else if (step === 'leave') leaving.pop()?.abort(new Error('left'));
          else {
            const controller = new AbortController();
            leaving.push(controller);
            asked += 1;
            const { signal } = controller;
            const turn = step === 'take' ? turns.take('x', signal) : turns.takeLast('x', signal);
            turn.then(
              (mine) => running.push(mine),
              () => (left += 1),
            );
          }
          await settle();
          equal(running.length, turns.running('x'));
          equal(running.length, Math.min(atOnce, asked - left - ended));
          equal(turns.waiting('x'), asked - left - ended - running.length);
        }
      }),
      { numRuns: 60 },
    );
  });
});
