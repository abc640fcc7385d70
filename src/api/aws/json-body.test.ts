import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { parseJsonBody } from './json-body.ts';
import { LongText, longTextBytes } from './long-text.ts';

const parsed = (
  text: string | Uint8Array,
  chunkBytes?: number,
): Promise<{ readonly value: unknown } | undefined> =>
  parseJsonBody(chunksOf(Buffer.from(text), chunkBytes));

suite('a body as JSON', () => {
  test('what JSON.stringify writes is read as it was, quotes and backslashes too', async () => {
    const texts = fc.string({ unit: fc.constantFrom('"', '\\', '{', '[', ',', 'a', 'é', '\n') });
    const values = fc.dictionary(
      texts,
      fc.oneof(texts, fc.array(texts), fc.jsonValue({ maxDepth: 5 })),
    );
    await fc.assert(
      fc.asyncProperty(values, fc.integer({ min: 1, max: 20 }), async (value, chunkBytes) => {
        const text = JSON.stringify(value);
        assert.deepEqual(await parsed(text, chunkBytes), { value: JSON.parse(text) });
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
    [
      'a mebibyte beside long texts is read',
      `{"a":${' '.repeat(1024 * 1024 - 10)}1}`,
      { value: { a: 1 } },
    ],
    [
      'more than a mebibyte beside them is none',
      `{"b":"${'a'.repeat(longTextBytes)}","a":${' '.repeat(1024 * 1024)}1}`,
      undefined,
    ],
    ['100,001 elements are none', `[${'0,'.repeat(100_000)}0]`, undefined],
    [
      'commas in a text are no elements',
      `["${','.repeat(200_000)}"]`,
      { value: [','.repeat(200_000)] },
    ],
  ] as const)
    test(what, async () => {
      assert.deepEqual(await parsed(text), value);
    });

  test('28 MiB of any shape take less than two seconds of CPU, and are never made into many objects', async () => {
    for (const [begin, piece] of [
      ...['{"a":', '[', '"\\"', '\\"', '{},', '"a","', '0,', 'A'].map(
        (each) => ['', each] as const,
      ),
      ['{"a":', '9'],
      ['{"a":0.', '1'],
      ['{"a":1e', '9'],
      ['{', ' '],
      ['{"', 'a'],
      ['{"', '\\ud800'],
    ] as const) {
      const body = Buffer.alloc(28 * 1024 * 1024, piece);
      body.write(begin);
      if (begin.endsWith('"')) body.write('":1}', body.length - 4);
      else if (begin !== '') body.write('}', body.length - 1);
      const started = process.cpuUsage();
      assert.equal(await parseJsonBody(chunksOf(body)), undefined, piece);
      const { user, system } = process.cpuUsage(started);
      assert.ok(user + system < 2e6, `${piece}: ${user + system} µs`);
    }
  });

  test('a long text is not made into a text, wherever it is, and says what JSON.parse would', async () => {
    const long = fc
      .string({
        unit: fc.constantFrom('"', '\\', 'A', '/', 'é', '\u0000', '='),
        minLength: 1,
        maxLength: 8,
      })
      .map((unit) => unit.repeat(Math.ceil((longTextBytes + 1) / unit.length)));
    const texts = fc.oneof(fc.string(), long);
    const chunkLengths = fc.oneof(fc.constant(64 * 1024), fc.integer({ min: 200, max: 300_000 }));
    const values = fc.dictionary(
      fc.constantFrom('a', 'b', 'n'.repeat(longTextBytes + 1)),
      fc.oneof(texts, fc.array(texts, { maxLength: 3 })),
      { maxKeys: 3 },
    );
    await fc.assert(
      fc.asyncProperty(
        values,
        fc.constantFrom(undefined, 1),
        chunkLengths,
        async (value, indent, chunkBytes) => {
          const text = JSON.stringify(value, undefined, indent);
          const read = await parsed(text, chunkBytes);
          let longOnes = 0;
          const spelt = spell(read?.value, () => (longOnes += 1));
          assert.deepEqual(spelt, JSON.parse(text));
          const expected = Object.values(value)
            .flat()
            .filter((each) => Buffer.byteLength(JSON.stringify(each)) - 2 > longTextBytes);
          assert.equal(longOnes, expected.length);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('4 MiB of escapes or characters are read in pieces that cut through none, between which others have their turn', async () => {
    for (const piece of ['\\"', '\\u00e9', '\\\\', 'é', '\\\\\\n', '\\ud83d\\ude00', '\ufeff😀a'])
      for (const before of ['', 'a', 'ab', 'abc', 'abcd', 'abcde']) {
        const count = Math.ceil((4 * 1024 * 1024) / Buffer.byteLength(piece));
        const text = `${before}${piece.repeat(before === '' ? count : count / 8)}`;
        let turns = 0;
        let isOver = false;
        const turn = (): void => {
          turns += 1;
          if (!isOver) setImmediate(turn);
        };
        setImmediate(turn);
        const long = await longOf(text);
        isOver = true;
        if (before === '') assert.ok(turns >= 32, `${piece}: ${turns}`);
        assert.ok(long.text() === JSON.parse(`"${text}"`), `${before} ${piece}`);
      }
  });

  test('base64 is known as such and decoded, however it is cut, and its text is what was sent', async () => {
    for (const bytes of [longTextBytes, longTextBytes + 1, longTextBytes + 2, 1_000_000])
      for (const chunkBytes of [64 * 1024, 1001, 1002, 1003, 3, 300_000]) {
        const sent = randomBytes(bytes);
        const base64 = sent.toString('base64');
        const { encoded } = await longOf(base64, chunkBytes);
        assert.equal(encoded?.byteLength, bytes);
        assert.ok((await buffer(encoded)).equals(sent));
        assert.ok(encoded.text() === base64);
      }
  });

  test('of several base64 texts that say the same the one that was sent is told', async () => {
    const text = `${'A'.repeat(longTextBytes)}AB==`;
    const { encoded } = await longOf(text);
    assert.equal(encoded?.byteLength, (longTextBytes / 4) * 3 + 1);
    assert.ok(encoded.text() === text);
  });

  for (const [what, change] of [
    ['a character of another alphabet', (text: string) => `${text.slice(0, -4)}-AAA`],
    ['an escaped slash', (text: string) => `${text.slice(0, -4)}\\/AA`],
    ['padding in the middle', (text: string) => `${text.slice(0, 4)}AA==${text.slice(8)}`],
    ['a character too few', (text: string) => text.slice(1)],
    [
      'padding at the end of a piece',
      (text: string) => `${text.slice(0, 65_532)}AA==${text.slice(65_536)}`,
    ],
    ['three times padding', (text: string) => `${text.slice(0, -4)}A===`],
    ['bytes beyond ASCII', (text: string) => `${text.slice(0, -4)}éé`],
  ] as const)
    test(`a long text with ${what} is no base64, and says what it did`, async () => {
      const text = change('bcDe'.repeat(longTextBytes / 2));
      const long = await longOf(text);
      assert.equal(long.encoded, undefined);
      assert.ok(long.text() === JSON.parse(`"${text}"`));
    });

  for (const [what, text] of [
    ['an escape that is none', 'A\\x'.repeat(longTextBytes)],
    ['a line end', 'A\n'.repeat(longTextBytes)],
  ] as const)
    test(`a long text with ${what} says nothing`, async () => {
      assert.equal((await longOf(text)).text(), undefined);
    });
});

/** As they come from a connection. */
function chunksOf(bytes: Uint8Array, chunkBytes = 64 * 1024): Uint8Array[] {
  const count = Math.ceil(bytes.length / chunkBytes);
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes),
  );
}

async function longOf(text: string, chunkBytes?: number): Promise<LongText> {
  const read = await parsed(`{"a": "${text}"}`, chunkBytes);
  const long = (read?.value as { readonly a?: unknown } | undefined)?.a;
  assert.ok(long instanceof LongText);
  return long;
}

function spell(value: unknown, onLong: () => void): unknown {
  if (value instanceof LongText) {
    onLong();
    return value.text();
  }
  if (Array.isArray(value)) return value.map((each) => spell(each, onLong));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, spell(each, onLong)]),
  );
}
