import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { dataNameOf, parseDataName, parsePlaceName, placeNameOf } from './upload-folder.ts';

const record = fc.record(
  {
    id: fc.uuid(),
    algorithm: fc.constantFrom('sha256' as const, 'sha512' as const),
    startedAt: fc.nat({ max: 8.64e15 }),
    placeKey: fc.stringMatching(/^[0-9a-f]{32}$/),
  },
  { noNullPrototype: true },
);

test('a data file’s name tells all of its upload, and fits a file system', () => {
  fc.assert(
    fc.property(record, (upload) => {
      const name = dataNameOf(upload);
      assert.deepEqual(parseDataName(name), upload);
      assert.ok(name.length <= 143, name);
    }),
  );
});

test('a place’s name tells its key', () => {
  fc.assert(
    fc.property(record, ({ placeKey }) => {
      assert.equal(parsePlaceName(placeNameOf(placeKey)), placeKey);
    }),
  );
});

const id = '0b6d3f5c-4f5e-4f43-9d0f-6d7a8f1b2c3d';
const key = 'a'.repeat(32);
const others = [
  '',
  'data',
  `${id}.data`,
  `${id}.md5.1.${key}.data`,
  `${id}.sha256..${key}.data`,
  `${id}.sha256.1.${key}.data.tmp`,
  `${id}.sha256.1.${key}`,
  `${id.toUpperCase()}.sha256.1.${key}.data`,
  `../${id}.sha256.1.${key}.data`,
  `${id}.sha256.1.${key}0.data`,
];
for (const name of others) {
  test(`${JSON.stringify(name)} is no upload’s name`, () => {
    assert.equal(parseDataName(name), undefined);
    assert.equal(parsePlaceName(name), undefined);
  });
}
