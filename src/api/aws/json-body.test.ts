import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { parseJsonBody } from './json-body.ts';

const parsed = (text: string | Uint8Array): unknown => parseJsonBody(Buffer.from(text));

suite('a body as JSON', () => {
  test('what JSON.stringify writes is read as it was, quotes and backslashes too', () => {
    const texts = fc.string({ unit: fc.constantFrom('"', '\\', '{', '[', ',', 'a', 'é', '\n') });
    const values = fc.dictionary(
      texts,
      fc.oneof(texts, fc.array(texts), fc.jsonValue({ maxDepth: 5 })),
    );
    fc.assert(
      fc.property(values, (value) => {
        const text = JSON.stringify(value);
        assert.deepEqual(parsed(text), { value: JSON.parse(text) });
      }),
    );
  });

  for (const [what, text, value] of [
    ['nothing is an empty object', '', { value: {} }],
    ['a number is one', '7', { value: 7 }],
    ['half an object is none', '{"a":', undefined],
    ['text behind the end is none', '{}{}', undefined],
    ['bytes that are no UTF-8 are none', Buffer.from([0x22, 0xff, 0x22]), undefined],
    ['a text without its end is none', '{"a":"', undefined],
    [
      '32 levels are read',
      `${'['.repeat(32)}${']'.repeat(32)}`,
      JSON.parse(`{"value":${'['.repeat(32)}${']'.repeat(32)}}`),
    ],
    ['33 levels are none', `${'['.repeat(33)}${']'.repeat(33)}`, undefined],
    ['braces in a text are no levels', `["${'['.repeat(100)}"]`, { value: ['['.repeat(100)] }],
    ['100,001 elements are none', `[${'0,'.repeat(100_000)}0]`, undefined],
    [
      'commas in a text are no elements',
      `["${','.repeat(200_000)}"]`,
      { value: [','.repeat(200_000)] },
    ],
  ] as const)
    test(what, () => {
      assert.deepEqual(parsed(text), value);
    });

  test('28 MiB of any shape take less than two seconds, and are never made into many objects', () => {
    for (const piece of ['{"a":', '[', '"\\"', '\\"', '{},', '"a","', '0,', 'A']) {
      const body = Buffer.alloc(28 * 1024 * 1024, piece);
      const started = performance.now();
      assert.equal(parseJsonBody(body), undefined, piece);
      assert.ok(performance.now() - started < 2000, `${piece}: ${performance.now() - started} ms`);
    }
  });
});
