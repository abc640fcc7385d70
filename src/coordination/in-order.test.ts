import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { createInOrder } from './in-order.ts';

test('work is done one after the other, in the order of the calls', async () => {
  const inOrder = createInOrder();
  const events: string[] = [];
  const work = (name: string) => async (): Promise<string> => {
    events.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    events.push(`${name} ends`);
    return name;
  };
  deepEqual(await Promise.all([inOrder(work('a')), inOrder(work('b'))]), ['a', 'b']);
  deepEqual(events, ['a begins', 'a ends', 'b begins', 'b ends']);
});

test('work that fails says so to its caller alone', async () => {
  const inOrder = createInOrder();
  const failing = inOrder(() => Promise.reject(new Error('no')));
  const next = inOrder(async () => 'yes');
  await rejects(failing, /no/);
  equal(await next, 'yes');
});
