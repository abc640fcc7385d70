import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { BodyBlocks, blockBytes, idleBlockMs } from './body-blocks.ts';
import { GatheredBody, memoryOfBody } from './gathered-body.ts';

const rig = (): BodyBlocks => new BodyBlocks(createFakeClock());

/** A chunk with memory of its own, as Node's are. */
function chunkOf(length: number, from = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (from + index) % 251);
}

suite('a body that is gathered', () => {
  test('says what came, however it came, in chunks of 128 KiB at most, and takes no more than was announced', async () => {
    const lengths = fc.array(fc.nat({ max: 100_000 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(lengths, fc.boolean(), async (each, isAnnounced) => {
        const total = each.reduce((sum, length) => sum + length, 0);
        const announced = isAnnounced ? total : undefined;
        using body = new GatheredBody(rig(), announced);
        let taken = 0;
        for (const length of each) taken += body.add(chunkOf(length, body.length));
        const whole = Buffer.from(chunkOf(total));
        equal(body.length, total);
        ok(whole.equals(Buffer.concat(body.chunks)));
        ok(whole.equals(await body.join()));
        ok(body.chunks.every(({ length }) => length <= blockBytes));
        equal(taken, memoryOfBody(announced ?? Math.ceil(total / blockBytes) * blockBytes));
      }),
    );
  });

  test('is kept as it is where it comes in one chunk', async () => {
    using body = new GatheredBody(rig(), 100);
    const chunk = chunkOf(100);
    equal(body.add(chunk), 100);
    equal(body.chunks[0], chunk);
    equal(await body.join(), chunk);
  });

  test('lets the memory of what it copied go', () => {
    using body = new GatheredBody(rig(), undefined);
    const chunk = chunkOf(64 * 1024);
    body.add(chunk);
    equal(chunk.length, 0);
  });

  for (const bytes of [1000, 300_000])
    test(`joined, ${bytes} bytes whose length nobody knew are the caller's: the next body changes nothing of them`, async () => {
      const blocks = rig();
      let joined: Uint8Array;
      {
        using body = new GatheredBody(blocks, undefined);
        body.add(chunkOf(bytes));
        joined = await body.join();
      }
      using next = new GatheredBody(blocks, undefined);
      next.add(new Uint8Array(bytes).fill(255));
      deepEqual(joined, Buffer.from(chunkOf(bytes)));
    });
});

suite('memory for bodies', () => {
  test('is used again, and each block by one body at a time, also where one is disposed twice', () => {
    const blocks = rig();
    const first = new GatheredBody(blocks, undefined);
    first.add(chunkOf(1000));
    const { buffer } = first.chunks[0] ?? new Uint8Array();
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    equal(blocks.freeBytes, blockBytes);
    equal(blocks.take().buffer, buffer);
    notEqual(blocks.take().buffer, buffer);
  });

  test('goes back to the system when it was not needed for ten seconds; what is needed meanwhile stays', () => {
    const clock = createFakeClock();
    const blocks = new BodyBlocks(clock);
    const taken = Array.from({ length: 3 }, () => blocks.take());
    for (const block of taken) blocks.giveBack(block);
    clock.advance(idleBlockMs);
    equal(blocks.freeBytes, 3 * blockBytes);
    blocks.giveBack(blocks.take());
    clock.advance(idleBlockMs);
    equal(blocks.freeBytes, blockBytes);
    clock.advance(idleBlockMs);
    equal(blocks.freeBytes, 0);
    ok(taken.every(({ length }) => length === 0));
  });
});
