import { deepEqual, equal, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { readUpstreamSecret } from './upstream-secret.ts';

const good = { username: 'ann', accessToken: 's3cret-t0ken' };
const text = JSON.stringify(good);

function problemOf(value: string): string {
  const read = readUpstreamSecret(value);
  return 'problem' in read ? read.problem : 'none';
}

suite('the value of a secret', () => {
  test('is read, whatever else is in it', () => {
    deepEqual(readUpstreamSecret(text), good);
    deepEqual(readUpstreamSecret(JSON.stringify({ ...good, note: 1 })), good);
  });

  for (const [what, value, says] of [
    ['a brace too many', `${text}}`, /no JSON \(at character 48, where it should have ended\)/],
    ['a brace too few', text.slice(0, -1), /no JSON/],
    ['an empty text', '', /no JSON \(it ends too early\)/],
    ['a plain text', 'test', /no JSON/],
    ['a JSON text', '"s3cret-t0ken"', /no JSON object/],
    ['a list', '[]', /no JSON object/],
    ['another spelling', '{"username":"ann","accesstoken":"s3cret-t0ken"}', /no accessToken/],
    ['a number', '{"username":"ann","accessToken":1}', /no accessToken/],
    ['no user', '{"username":"","accessToken":"s3cret-t0ken"}', /username is empty/],
    [
      'a line break',
      JSON.stringify({ ...good, accessToken: 's3cret\n' }),
      /accessToken is holding/,
    ],
    [
      'a colon in the name',
      JSON.stringify({ ...good, username: 'a:b' }),
      /username is holding a colon/,
    ],
  ] as const)
    test(`with ${what} is told so`, () => {
      ok(says.test(problemOf(value)), problemOf(value));
    });

  test('is in no problem, wherever it breaks', () => {
    fc.assert(
      fc.property(fc.nat(text.length), fc.constantFrom('', '}', '"', ',', '\\', 'x'), (at, put) => {
        const problem = problemOf(text.slice(0, at) + put + text.slice(at + 1));
        equal(/s3c|t0k|"ann/.test(problem), false, problem);
      }),
    );
  });
});
