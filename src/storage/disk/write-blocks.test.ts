import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWriteBlocks } from './write-blocks.ts';

test('a block is lent again once all who held it released it, to whoever asked first', async () => {
  const blocks = createWriteBlocks(4096, 2);
  const first = await blocks.take();
  const second = await blocks.take();
  assert.notEqual(first.start, second.start);
  const lent: string[] = [];
  const third = blocks.take().then((block) => {
    lent.push('third');
    return block;
  });
  const fourth = blocks.take().then((block) => {
    lent.push('fourth');
    return block;
  });
  first.keep();
  first.release();
  await new Promise(setImmediate);
  assert.deepEqual(lent, [], 'it is still held once');
  first.release();
  assert.equal((await third).start, first.start);
  assert.deepEqual(lent, ['third']);
  second.release();
  assert.equal((await fourth).start, second.start);
});

test('a block that is released too often is an error, not lent twice', async () => {
  const block = await createWriteBlocks(4096, 1).take();
  block.release();
  assert.throws(() => block.release(), /more often than held/);
});
