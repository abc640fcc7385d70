import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesBetween } from './byte-chunks.ts';

test('a cut through buffers gives the bytes between, and copies none', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 9 })),
      fc.nat(40),
      fc.nat(40),
      (buffers, a, b) => {
        const whole = Buffer.concat(buffers);
        const parts = bytesBetween(buffers, a, b);
        assert.deepEqual(Buffer.concat(parts), whole.subarray(a, b));
        assert.ok(parts.every((part) => buffers.some((buffer) => buffer.buffer === part.buffer)));
      },
    ),
  );
});
