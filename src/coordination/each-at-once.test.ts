import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { eachAtOnce } from './each-at-once.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

for (const [count, atOnceMax, most] of [
  [10, 3, 3],
  [2, 3, 2],
  [0, 3, 0],
] as const)
  test(`${count} items, ${atOnceMax} at a time, are done ${most} at a time and answered in order`, async () => {
    let running = 0;
    let seen = 0;
    const items = Array.from({ length: count }, (_, index) => index);
    const results = await eachAtOnce(items, atOnceMax, async (item) => {
      seen = Math.max(seen, (running += 1));
      // The later an item, the sooner it is done.
      for (let turn = item; turn < count; turn += 1) await settle();
      running -= 1;
      return item * 2;
    });
    deepEqual(
      results,
      items.map((item) => item * 2),
    );
    equal(seen, most);
  });

test('after a failure no further item is begun', async () => {
  const begun: number[] = [];
  const work = async (item: number): Promise<void> => {
    begun.push(item);
    await settle();
    if (item === 1) throw new Error('no');
  };
  await rejects(eachAtOnce([0, 1, 2, 3, 4, 5], 2, work), /no/);
  await settle();
  await settle();
  deepEqual(begun.includes(4), false);
});
