import { equal, ok } from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { matchesGlob } from './wildcard.ts';

/** By the definition, character by character: what is asked of `matchesGlob`. */
function matchesByDefinition(pattern: readonly string[], text: readonly string[]): boolean {
  let reached = new Set([0]);
  for (const letter of pattern) {
    const next = new Set<number>();
    for (const at of reached) {
      if (letter === '*') for (let to = at; to <= text.length; to += 1) next.add(to);
      else if (at < text.length && (letter === '?' || letter === text[at])) next.add(at + 1);
    }
    reached = next;
  }
  return reached.has(text.length);
}

const rows: readonly (readonly [pattern: string, text: string, matches: boolean])[] = [
  ['', '', true],
  ['', 'a', false],
  ['*', '', true],
  ['**', 'a/b', true],
  ['a*', 'a', true],
  ['a*a', 'a', false],
  ['a*b*c', 'a-b-b-c', true],
  ['*ab*ab', 'abab', true],
  ['*ab*ab', 'xab', false],
  ['ab*ba', 'aba', false],
  ['a?c', 'abc', true],
  ['a?c', 'ac', false],
  ['?', '😀', true],
  ['??', '😀', false],
  ['*?', '😀', true],
  ['😀*😀', '😀😀', true],
  ['*?b?*', 'abbc', true],
  ['*a?*b', 'aab', true],
];

suite('a wildcard pattern', () => {
  for (const [pattern, text, matches] of rows) {
    test(`"${pattern}" ${matches ? 'matches' : 'does not match'} "${text}"`, () => {
      equal(matchesGlob(pattern, text), matches);
    });
  }

  const letters = (units: readonly string[], maxLength: number): fc.Arbitrary<string[]> =>
    fc.array(fc.constantFrom(...units), { maxLength });

  test('matches what its definition says', () => {
    fc.assert(
      fc.property(
        letters(['a', 'b', '*', '?', '😀', 'é'], 12),
        letters(['a', 'b', '😀', 'é'], 14),
        (pattern, text) => {
          equal(matchesGlob(pattern.join(''), text.join('')), matchesByDefinition(pattern, text));
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('whose parts are longer than a word of bits matches what its definition says', () => {
    fc.assert(
      fc.property(
        letters(['a', '?'], 80),
        letters(['a', 'b'], 10),
        letters(['a', 'b'], 90),
        (part, before, after) => {
          const pattern = ['*', ...part, '*', 'b'];
          const text = [...before, ...part.map(() => 'a'), ...after];
          equal(matchesGlob(pattern.join(''), text.join('')), matchesByDefinition(pattern, text));
        },
      ),
    );
  });

  // The worst that a policy's 10,240 characters and a header's 1,024 can do: before the parts were looked for each, seconds.
  const worst: readonly (readonly [name: string, pattern: string])[] = [
    ['a long part that almost matches everywhere', `*${'a'.repeat(512)}b*`],
    ['the same with a ?', `*${'a'.repeat(255)}?${'a'.repeat(255)}b*`],
    ['many stars', '*a'.repeat(512)],
    ['many stars and ?', '*?a'.repeat(341)],
    ['a pattern that is longer than the text', '*a'.repeat(5120)],
  ];
  for (const [name, pattern] of worst) {
    test(`is matched in no time: ${name}`, () => {
      const text = 'a'.repeat(1024);
      matchesGlob(pattern, text);
      const startedAt = performance.now();
      for (let n = 0; n < 20; n += 1) matchesGlob(pattern, text);
      const ms = (performance.now() - startedAt) / 20;
      ok(ms < 20, `${ms} ms`);
    });
  }
});
