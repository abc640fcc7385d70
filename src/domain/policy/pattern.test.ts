import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  matchesSegments,
  parsePattern,
  resolvePattern,
  splitAtColons,
  variableProblem,
} from './pattern.ts';
import { matchesPattern } from '../wildcard.ts';
import type { PatternCodes } from '../wildcard.ts';

const app = 'arn:aws:ecr:us-east-1:000000000000:repository/k8s/busybox';

function codesOf(pattern: string): PatternCodes {
  return parsePattern(pattern, { wildcards: true, variables: false }).constant ?? [];
}

function isResource(pattern: string, resource: string): boolean {
  return matchesSegments(splitAtColons(codesOf(pattern)), resource.split(':'));
}

const patterns: readonly (readonly [pattern: string, matches: boolean])[] = [
  ['*', true],
  ['arn:aws:ecr:*', true],
  ['arn:*', true],
  [app, true],
  [`arn:aws:ecr:*:000000000000:repository/*`, true],
  [`arn:aws:ecr:us-*-1:000000000000:repository/k8s/*`, true],
  ['arn:aws:ecr:*:*:repository/*/busybox', true],
  ['arn:aws:ecr:*:*:*/busybox', true],
  ['arn:aws:ecr:*:*:repository/k8s/busyb?x', true],
  ['arn:aws:ecr:*:*:repository/k8s/busybox?', false],
  ['arn:aws:ecr:*:*:repository/k8s', false],
  ['arn:aws:ecr:*:*:repository/K8S/*', false],
  ['arn:aws:ecr:*:repository/k8s/busybox', true],
  ['arn:aws:ecr:us-*1:repository/k8s/busybox', false],
  ['arn:aws:ecr:us?east?1?000000000000?repository/k8s/busybox', false],
  ['arn:aws:ecr:*:111122223333:repository/*', false],
  ['arn:aws:ecr:eu-*:*:repository/*', false],
  [`${app}:*`, false],
  ['arn:aws:s3:::*', false],
];
for (const [pattern, matches] of patterns) {
  test(`The resource ${pattern} is ${matches ? '' : 'not '}${app}.`, () => {
    assert.equal(isResource(pattern, app), matches);
  });
}

const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', ':'), maxLength: 8 });
const texts = fc.string({ unit: fc.constantFrom('a', 'b', ':'), maxLength: 8 });

test('A pattern matches as the regular expression of the same meaning.', () => {
  fc.assert(
    fc.property(letters, texts, (pattern, text) => {
      const same = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
      assert.equal(matchesPattern(codesOf(pattern), text), same.test(text));
    }),
    { numRuns: 2000 },
  );
});

test('A resource matches as the regular expression in which only the last * of a segment takes colons.', () => {
  fc.assert(
    fc.property(letters, texts, (pattern, text) => {
      const same = pattern
        .replaceAll(/\*(?=:|$)/g, '<all>')
        .replaceAll('*', '[^:]*')
        .replaceAll('?', '[^:]')
        .replaceAll('<all>', '.*');
      assert.equal(isResource(pattern, text), new RegExp(`^${same}$`).test(text));
    }),
    { numRuns: 3000 },
  );
});

test('Patterns made to be slow are not.', () => {
  const started = performance.now();
  assert.equal(matchesPattern(codesOf(`${'*a'.repeat(2500)}b`), 'a'.repeat(2000)), false);
  assert.equal(isResource(`arn:${'*:'.repeat(2500)}x`, `arn:${'a:'.repeat(300)}y`), false);
  assert.ok(performance.now() - started < 1000);
});

const variables: readonly (readonly [text: string, becomes: string | undefined])[] = [
  ['a', 'a'],
  ['u/${aws:username}/x', 'u/ci*/x'],
  ['${AWS:UserName}', 'ci*'],
  ['${aws:none}', undefined],
  ["${aws:none, 'x y'}", 'x y'],
  ["${aws:username,'x'}", 'ci*'],
  ['${aws:many}', undefined],
  ['${*}${?}${$}{', '*?${'],
];
for (const [text, becomes] of variables) {
  test(`${text} becomes ${becomes ?? 'nothing'}.`, () => {
    const held: Readonly<Record<string, readonly string[]>> = {
      'aws:username': ['ci*'],
      'aws:many': ['a', 'b'],
    };
    const pattern = parsePattern(text, { wildcards: true, variables: true });
    const codes = resolvePattern(pattern, (key) => held[key]);
    assert.deepEqual(codes, becomes === undefined ? undefined : literal(becomes));
    assert.equal(variableProblem(text), undefined);
  });
}

function literal(text: string): PatternCodes {
  return parsePattern(text, { wildcards: false, variables: false }).constant ?? [];
}

for (const text of ['${', 'a${}', '${aws:username', '${a}${b', '${**}', '${ aws:x}', '${a${b}}']) {
  test(`In ${text} a variable is not written as one.`, () => {
    assert.notEqual(variableProblem(text), undefined);
  });
}

test('The same text is found to hold a wrong variable each time it is asked.', () => {
  for (let count = 0; count < 3; count += 1) assert.equal(variableProblem('x${aws:y'), '${aws:y');
});
