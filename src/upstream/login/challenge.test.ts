import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseChallenges } from './challenge.ts';

const plain = (header: string | string[] | undefined): unknown =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

const rows: readonly (readonly [string, string | string[] | undefined, unknown])[] = [
  ['no header', undefined, []],
  ['an empty header', '', []],
  [
    'Docker Hub',
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull"',
    [
      [
        'bearer',
        {
          realm: 'https://auth.docker.io/token',
          service: 'registry.docker.io',
          scope: 'repository:library/nginx:pull',
        },
      ],
    ],
  ],
  [
    'a scope with a comma in its quotes',
    'Bearer realm="r",scope="repository:a:pull,push"',
    [['bearer', { realm: 'r', scope: 'repository:a:pull,push' }]],
  ],
  [
    'spaces around everything',
    '  BEARER  Realm = "r" ,  service = s ',
    [['bearer', { realm: 'r', service: 's' }]],
  ],
  ['escaped quotes', 'Basic realm="a \\"b\\" \\\\c"', [['basic', { realm: 'a "b" \\c' }]]],
  [
    'two challenges in one line',
    'Basic realm="x", Bearer realm="y",service="z"',
    [
      ['basic', { realm: 'x' }],
      ['bearer', { realm: 'y', service: 'z' }],
    ],
  ],
  [
    'two lines',
    ['Negotiate', 'Basic realm="x"'],
    [
      ['negotiate', {}],
      ['basic', { realm: 'x' }],
    ],
  ],
  [
    'token68 before another',
    'Negotiate YWJj==, Basic realm="x"',
    [
      ['negotiate', {}],
      ['basic', { realm: 'x' }],
    ],
  ],
  [
    'a bare scheme before another',
    'Negotiate, Basic realm=x',
    [
      ['negotiate', {}],
      ['basic', { realm: 'x' }],
    ],
  ],
  ['empty elements', ',, Basic realm="x",,service="y",', [['basic', { realm: 'x', service: 'y' }]]],
  ['a parameter twice', 'Bearer realm="first",realm="second"', [['bearer', { realm: 'first' }]]],
  [
    'a quote that never closes',
    'Bearer service="s",realm="https://x',
    [['bearer', { service: 's' }]],
  ],
  ['rubbish', '"=,,;;', []],
];
for (const [name, header, expected] of rows) {
  test(`a challenge is read: ${name}`, () => assert.deepEqual(plain(header), expected));
}

const token = fc.stringMatching(/^[a-z][a-z0-9!#$%&'*+.^_|~-]{0,8}$/);
const value = fc
  .string({ unit: 'grapheme-ascii', maxLength: 30 })
  .map((text) => text.replaceAll(/[^\t -~]/g, ''));
const quote = (text: string): string => `"${text.replaceAll(/["\\]/g, (one) => `\\${one}`)}"`;

test('whatever challenges are formatted are read again', () => {
  const challenge = fc.tuple(
    token,
    fc.uniqueArray(fc.tuple(token, value), {
      selector: ([name]) => name,
      minLength: 1,
      maxLength: 4,
    }),
  );
  fc.assert(
    fc.property(fc.array(challenge, { maxLength: 4 }), (challenges) => {
      const header = challenges
        .map(
          ([scheme, parameters]) =>
            `${scheme} ${parameters.map(([name, text]) => `${name}=${quote(text)}`).join(', ')}`,
        )
        .join(', ');
      assert.deepEqual(
        plain(header),
        challenges.map(([scheme, parameters]) => [scheme, Object.fromEntries(parameters)]),
      );
    }),
  );
});

test('no text makes the parser throw or run long', () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 500 }),
      (text) => parseChallenges([text, `Bearer ${text}`]).length <= 1000,
    ),
  );
  const started = performance.now();
  parseChallenges('a '.repeat(500_000));
  parseChallenges(`Bearer realm="${'\\'.repeat(500_000)}`);
  parseChallenges('='.repeat(500_000));
  parseChallenges(`B ${'a'.repeat(500_000)}`);
  assert.equal(performance.now() - started < 2000, true);
});
