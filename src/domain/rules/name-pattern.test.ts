import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isAllowed } from './name-pattern.ts';
import { matchesGlob } from '../wildcard.ts';
import { parseReference } from '../names/reference.ts';

const globs: readonly (readonly [string, string, boolean])[] = [
  ['*', '', true],
  ['*', 'a/b', true],
  ['library/*', 'library/nginx', true],
  ['library/*', 'library', false],
  ['library/*', 'xlibrary/nginx', false],
  ['*/nginx', 'a/b/nginx', true],
  ['a*c*e', 'abcde', true],
  ['a*c*e', 'abcd', false],
  ['a?c', 'abc', true],
  ['a?c', 'ac', false],
  ['?', '', false],
  ['', '', true],
  ['', 'a', false],
  ['a.c', 'abc', false],
  ['[ab]', 'a', false],
  ['**', 'a', true],
  ['*a', 'aaab', false],
  ['?', '🦀', true],
];
for (const [pattern, text, matches] of globs) {
  test(`the pattern ${JSON.stringify(pattern)} ${matches ? 'matches' : 'does not match'} ${JSON.stringify(text)}`, () => {
    assert.equal(matchesGlob(pattern, text), matches);
  });
}

test('a glob matches as the regular expression of the same meaning', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
  const texts = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 });
  fc.assert(
    fc.property(letters, texts, (pattern, text) => {
      const same = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
      assert.equal(matchesGlob(pattern, text), same.test(text));
    }),
    { numRuns: 2000 },
  );
});

test('a pattern made to be slow is not', () => {
  const started = performance.now();
  assert.equal(matchesGlob(`${'*a'.repeat(250)}b`, 'a'.repeat(400)), false);
  assert.ok(performance.now() - started < 500);
});

const digest = `sha256:${'a'.repeat(64)}`;

interface Row {
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly repository: string;
  readonly reference?: string;
  readonly is: boolean;
}

const rows: readonly Row[] = [
  { repository: 'x', reference: '1', is: true },
  { allow: ['library/*'], repository: 'library/nginx', reference: '1', is: true },
  { allow: ['library/*'], repository: 'other/nginx', reference: '1', is: false },
  { allow: ['library/*'], repository: 'other/nginx', is: false },
  { allow: ['library/*'], repository: 'library/nginx', is: true },
  { allow: ['x:1.*'], repository: 'x', reference: '1.2', is: true },
  { allow: ['x:1.*'], repository: 'x', reference: '2', is: false },
  { allow: ['x:1.*'], repository: 'x', reference: digest, is: true },
  { allow: ['x:1.*'], repository: 'x', is: true },
  { allow: ['x:1.*'], repository: 'y', reference: digest, is: false },
  { allow: [`x@${digest}`], repository: 'x', reference: digest, is: true },
  { allow: ['x@sha256:b*'], repository: 'x', reference: digest, is: false },
  { allow: [`x@${digest}`], repository: 'x', reference: '1', is: false },
  { allow: [`x@${digest}`], repository: 'x', is: true },
  { deny: ['x'], repository: 'x', is: false },
  { deny: ['x'], repository: 'x', reference: digest, is: false },
  { deny: ['x'], repository: 'y', is: true },
  { deny: ['*:latest'], repository: 'x', reference: 'latest', is: false },
  { deny: ['*:latest'], repository: 'x', reference: '1', is: true },
  { deny: ['*:latest'], repository: 'x', is: true },
  { deny: ['x@sha256:a*'], repository: 'x', reference: digest, is: false },
  { deny: ['x@sha256:a*'], repository: 'x', reference: '1', is: true },
  { allow: ['x'], deny: ['x'], repository: 'x', reference: '1', is: false },
  { allow: ['*'], deny: ['x/*'], repository: 'x/y', is: false },
];
for (const { allow = [], deny = [], repository, reference, is } of rows) {
  const asked = `${repository}${reference === undefined ? ' (a blob)' : ` ${reference.slice(0, 10)}`}`;
  test(`allow ${JSON.stringify(allow)} and deny ${JSON.stringify(deny)} ${is ? 'let through' : 'refuse'} ${asked}`, () => {
    const parsed = reference === undefined ? undefined : parseReference(reference);
    assert.equal(isAllowed({ allow, deny }, repository, parsed), is);
  });
}
