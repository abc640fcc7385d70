import { deepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { batches } from './batches.ts';

test('batches are all of the values in their order, in few different lengths', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer(), { maxLength: 600 }),
      fc.constantFrom(1, 2, 128, 256),
      (values, max) => {
        const slices = [...batches(values, max)];
        deepEqual(slices.flat(), values);
        for (const { length } of slices) {
          ok(length > 0 && length <= max && Number.isInteger(Math.log2(length)), `${length}`);
        }
        ok(slices.length <= values.length / max + Math.log2(max) + 1);
      },
    ),
  );
});
