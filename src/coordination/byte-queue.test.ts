import { deepEqual, equal, rejects } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { ByteQueue } from './byte-queue.ts';

function start(bytesMax = 10, resumeBytes = 4) {
  const flow: string[] = [];
  const queue = new ByteQueue({
    bytesMax,
    resumeBytes,
    pause: () => flow.push('pause'),
    resume: () => flow.push('resume'),
  });
  return { flow, queue };
}

const bytes = (length: number): Uint8Array => new Uint8Array(length);

suite('bytes between who pushes and who pulls', () => {
  test('what comes while the reader waits is its own at once, and never pauses the source', async () => {
    const { flow, queue } = start();
    const read = queue.read();
    equal(queue.isAwaited, true);
    const chunk = bytes(100);
    queue.push(chunk);
    equal(await read, chunk);
    deepEqual([queue.isAwaited, flow], [false, []]);
  });

  test('the source pauses when so much waits, and goes on when little is left', async () => {
    const { flow, queue } = start(10, 4);
    for (const length of [4, 5, 1, 3]) queue.push(bytes(length));
    deepEqual(flow, ['pause'], 'once, and what comes nevertheless is kept');
    equal((await queue.read())?.length, 4);
    deepEqual(flow, ['pause']);
    equal((await queue.read())?.length, 5);
    deepEqual(flow, ['pause', 'resume']);
    deepEqual([(await queue.read())?.length, (await queue.read())?.length], [1, 3]);
  });

  test('what waits is read before the end', async () => {
    const { queue } = start();
    queue.push(bytes(1));
    queue.end();
    equal((await queue.read())?.length, 1);
    equal(await queue.read(), undefined);
    equal(await queue.read(), undefined);
  });

  test('what waits is read before what broke it', async () => {
    const { queue } = start();
    queue.push(bytes(1));
    queue.fail(new Error('broken'));
    equal((await queue.read())?.length, 1);
    await rejects(queue.read(), /broken/);
  });

  test('the end, or what broke it, reaches a reader that waits', async () => {
    const ended = start().queue;
    const last = ended.read();
    ended.end();
    equal(await last, undefined);
    const broken = start().queue;
    const failed = rejects(broken.read(), /broken/);
    broken.fail(new Error('broken'));
    await failed;
  });

  test('the first end counts, and nothing comes after it', async () => {
    const { queue } = start();
    queue.end();
    queue.fail(new Error('late'));
    queue.push(bytes(1));
    equal(await queue.read(), undefined);
  });

  test('what is dropped is not read', async () => {
    const { queue } = start();
    queue.push(bytes(3));
    queue.clear();
    queue.push(bytes(2));
    equal((await queue.read())?.length, 2);
  });

  test('all bytes arrive in their order, and a source that obeys never leaves more waiting than the bound and one chunk', async () => {
    const chunk = fc.integer({ min: 1, max: 8 });
    const steps = fc.array(fc.oneof(chunk, fc.constant('read' as const)), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        let paused = false;
        const queue = new ByteQueue({
          bytesMax: 10,
          resumeBytes: 4,
          pause: () => (paused = true),
          resume: () => (paused = false),
        });
        const pushed: Uint8Array[] = [];
        const read: (Uint8Array | undefined)[] = [];
        let waitingBytes = 0;
        for (const step of all) {
          if (step === 'read') {
            const one = queue.take();
            waitingBytes -= one?.length ?? 0;
            if (one !== undefined) read.push(one);
          } else if (!paused) {
            const one = bytes(step);
            pushed.push(one);
            queue.push(one);
            waitingBytes += step;
          }
          equal(waitingBytes < 10 + 8, true);
          equal(paused && waitingBytes <= 4, false);
        }
        queue.end();
        for (let one = await queue.read(); one !== undefined; one = await queue.read())
          read.push(one);
        deepEqual(read, pushed);
      }),
    );
  });
});
