import { equal, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { bufferBytesMax, bufferBytesMin, createReadBuffers } from './buffers.ts';
import type { ReadBuffer } from './buffers.ts';

suite('read buffers', () => {
  test('no two buffers in use share memory, and the budget is never passed', () => {
    const step = fc.oneof(
      fc.record({ take: fc.integer({ min: 1, max: 2 * bufferBytesMax }) }),
      fc.record({ release: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const buffers = createReadBuffers(3 * bufferBytesMax);
        const held: ReadBuffer[] = [];
        for (const each of steps) {
          if ('take' in each) {
            const buffer = buffers.take(each.take);
            if (buffer === undefined) continue;
            ok(
              buffer.bytes.length >= bufferBytesMin &&
                buffer.bytes.length <= Math.max(each.take, bufferBytesMin),
            );
            for (const other of held) ok(!overlaps(buffer.bytes, other.bytes));
            held.push(buffer);
          } else if (held.length > 0) {
            const [buffer] = held.splice(each.release % held.length, 1);
            if (buffer !== undefined) buffers.release(buffer);
          }
          equal(
            buffers.usedBytes,
            held.reduce((sum, { bytes }) => sum + bytes.length, 0),
          );
          ok(buffers.usedBytes <= buffers.budgetBytes);
        }
      }),
    );
  });

  test('what is given back is used whole again', () => {
    const buffers = createReadBuffers(bufferBytesMax);
    const small = Array.from({ length: 64 }, () => buffers.take(bufferBytesMin));
    equal(buffers.take(bufferBytesMin), undefined);
    for (const buffer of small) if (buffer !== undefined) buffers.release(buffer);
    equal(buffers.take(bufferBytesMax)?.bytes.length, bufferBytesMax);
  });

  test('a smaller buffer is given where the asked one does not fit', () => {
    const buffers = createReadBuffers(bufferBytesMax);
    buffers.take(bufferBytesMin);
    equal(buffers.take(bufferBytesMax)?.bytes.length, bufferBytesMax / 2);
  });
});

function overlaps(a: Uint8Array, b: Uint8Array): boolean {
  return (
    a.buffer === b.buffer &&
    a.byteOffset < b.byteOffset + b.length &&
    b.byteOffset < a.byteOffset + a.length
  );
}
