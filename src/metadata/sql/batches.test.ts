import { deepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { batches } from './batches.ts';

const max = 128;

test('batches are all of the values in their order, in few different lengths', () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { maxLength: 1200 }), (values) => {
      const slices = [...batches(values)];
      deepEqual(slices.flat(), values);
      for (const { length } of slices) {
        ok(length > 0 && length <= max && Number.isInteger(Math.log2(length)), `${length}`);
      }
      ok(slices.length <= values.length / max + Math.log2(max) + 1);
    }),
  );
});
