import { deepEqual, equal, rejects } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { createListingTurns } from './listing-turns.ts';

const never = new AbortController().signal;
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Work that ends when it is told to. */
function start(options = { atOnce: 2, waitingMax: 3, eachMax: 9 }) {
  const turns = createListingTurns(createFakeClock(), options);
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const run = (name: string, asker = name, signal = never) =>
    turns.run(asker, signal, async () => {
      begun.push(name);
      await new Promise<void>((resolve) => ends.set(name, resolve));
      return name;
    });
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.();
    await settle();
  };
  return { turns, run, begun, end };
}

suite('the turns of listings', () => {
  test('two work, the others follow in their order', async () => {
    const { run, begun, end } = start();
    const all = ['a', 'b', 'c', 'd'].map((name) => run(name));
    await settle();
    deepEqual(begun, ['a', 'b']);
    await end('b');
    deepEqual(begun, ['a', 'b', 'c']);
    for (const name of ['a', 'c', 'd']) await end(name);
    deepEqual(await Promise.all(all), ['a', 'b', 'c', 'd']);
  });

  test('beyond those that may wait the next is refused, and told when to come again', async () => {
    const { run, end } = start({ atOnce: 1, waitingMax: 1, eachMax: 9 });
    const all = [run('a'), run('b')];
    await settle();
    await rejects(run('c'), { code: 'tooManyRequests', retryAfterMs: 1000 });
    await end('a');
    await end('b');
    await Promise.all(all);
    const again = run('c');
    await settle();
    await end('c');
    equal(await again, 'c');
  });

  test('one asker does not take all the places', async () => {
    const { run, begun, end } = start({ atOnce: 1, waitingMax: 9, eachMax: 2 });
    const all = [run('a', 'mallory'), run('b', 'mallory')];
    await rejects(run('c', 'mallory'), { code: 'tooManyRequests' });
    all.push(run('d', 'ann'));
    for (const name of ['a', 'b', 'd']) {
      await settle();
      await end(name);
    }
    await Promise.all(all);
    deepEqual(begun, ['a', 'b', 'd']);
  });

  test('who leaves while waiting makes room and never begins', async () => {
    const { run, begun, end } = start({ atOnce: 1, waitingMax: 1, eachMax: 9 });
    const first = run('a');
    const controller = new AbortController();
    const second = run('b', 'b', controller.signal);
    await settle();
    controller.abort();
    await rejects(second, { code: 'clientLeft' });
    const third = run('c');
    await end('a');
    await first;
    await end('c');
    await third;
    deepEqual(begun, ['a', 'c']);
    await rejects(run('d', 'd', controller.signal), { code: 'clientLeft' });
  });

  test('work that fails gives its place on', async () => {
    const { turns } = start({ atOnce: 1, waitingMax: 1, eachMax: 1 });
    const failing = () => turns.run('a', never, () => Promise.reject(new Error('no')));
    await rejects(failing(), /no/);
    await rejects(failing(), /no/);
    equal(await turns.run('a', never, async () => 'yes'), 'yes');
  });
});
