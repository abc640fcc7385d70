import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { createSecrets } from './redaction.ts';

const pair = (username: string, accessToken: string): string =>
  Buffer.from(`${username}:${accessToken}`).toString('base64');

const rows: readonly (readonly [
  name: string,
  accessToken: string,
  text: string,
  expected: string,
])[] = [
  ['a text without the secret stays', 'sesame', 'UNAUTHORIZED: no', 'UNAUTHORIZED: no'],
  ['the secret as it is', 'sesame', 'bad password "sesame" (sesame)', 'bad password "…" (…)'],
  ['in another case, as a host name', 'SeSame', 'sesame.evil.example', '….evil.example'],
  ['base64 of the pair', 'sesame', `got ${pair('robot', 'sesame')}.`, 'got ….'],
  [
    'base64 of the pair without its padding',
    'sesame!',
    `got ${pair('robot', 'sesame!').replace(/=+$/, '')} x`,
    'got … x',
  ],
  [
    'base64url of the secret',
    '>>>???',
    `got ${Buffer.from('>>>???').toString('base64url')}`,
    'got …',
  ],
  ['escaped in a URL', 'p@ss word/1', '/token?password=p%40ss%20word%2F1', '/token?password=…'],
  ['escaped in a form', 'p@ss word/1', 'password=p%40ss+word%2f1', 'password=…'],
  ['escaped in JSON', '{"key": "a\n"}', 'got {\\"key\\": \\"a\\n\\"}', 'got …'],
  ['escaped in HTML', 'a<b&c', 'got a&lt;b&amp;c', 'got …'],
  ['every character escaped', 'ab/1', 'got %61%62%2F%31', '…'],
  ['one so short that its gaps would tell it', 'ab', 'about', '…'],
  ['no secret at all', '', 'about', 'about'],
];

suite('what an upstream repeats of a credential is cut out', () => {
  for (const [name, accessToken, text, expected] of rows) {
    test(name, () => {
      assert.equal(createSecrets({ username: 'robot', accessToken }).redact(text), expected);
    });
  }

  test('a token that was issued, the oldest being forgotten', () => {
    const secrets = createSecrets(undefined);
    secrets.add('first-token');
    assert.equal(secrets.redact('first-token is too old'), '… is too old');
    for (let n = 0; n < 500; n += 1) secrets.add(`token-${n}-`);
    assert.equal(secrets.redact('token-499- of first-token'), '… of first-token');
  });

  test('whatever stands around it, in every spelling', () => {
    const secretText = fc.string({ minLength: 4, maxLength: 40, unit: 'grapheme-ascii' });
    const spellings: readonly ((secret: string) => string)[] = [
      (secret) => secret,
      (secret) => encodeURIComponent(secret),
      (secret) => JSON.stringify(secret).slice(1, -1),
      (secret) => pair('u', secret),
      (secret) => Buffer.from(secret).toString('base64url'),
      (secret) => encodeURIComponent(pair('u', secret)),
      (secret) => new URLSearchParams({ p: secret }).toString().slice(2),
    ];
    fc.assert(
      fc.property(
        secretText,
        fc.constantFrom(...spellings),
        fc.string(),
        fc.string(),
        (accessToken, spell, before, after) => {
          const shown = spell(accessToken);
          const secrets = createSecrets({ username: 'u', accessToken });
          const told = secrets.redact(`${before}${shown}${after}`);
          assert.ok(!told.includes(shown), told);
        },
      ),
    );
  });
});
