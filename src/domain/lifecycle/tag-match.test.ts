import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { matchesGlob } from '../wildcard.ts';
import type { TagRequirement } from './policy.ts';
import { patternMatcher, requirementMatcher } from './tag-match.ts';

function matcherOf(requirement: TagRequirement): (tags: readonly string[]) => boolean {
  const match = requirementMatcher([requirement]);
  return (tags) => {
    const met = [false];
    match(tags, met);
    return met[0] === true;
  };
}

const tagged = (kind: 'prefix' | 'pattern', ...entries: readonly string[]) =>
  matcherOf({ status: 'tagged', kind, entries });

const rows: readonly (readonly [
  name: string,
  matches: (tags: readonly string[]) => boolean,
  yes: readonly (readonly string[])[],
  no: readonly (readonly string[])[],
])[] = [
  ['any', matcherOf({ status: 'any' }), [[], ['a']], []],
  ['untagged', matcherOf({ status: 'untagged' }), [[]], [['a']]],
  ['a prefix', tagged('prefix', 'prod'), [['prod'], ['x', 'prod-1']], [[], ['a-prod'], ['pro']]],
  [
    'two prefixes, which must both be met, by whatever tags',
    tagged('prefix', 'alpha', 'beta'),
    [
      ['alpha-1', 'beta-1'],
      ['beta', 'x', 'alpha'],
    ],
    [['alpha-1'], ['beta-1'], []],
  ],
  ['two prefixes that one tag meets', tagged('prefix', 'al', 'alpha'), [['alpha']], [['al']]],
  ['a prefix with a star, which is no wildcard there', tagged('prefix', 'p*'), [], [['prod']]],
  ['a pattern', tagged('pattern', 'prod*'), [['prod'], ['production-team1']], [['a-prod']]],
  [
    'a pattern that contains',
    tagged('pattern', '*prod*'),
    [['repo-production'], ['prod']],
    [['pro']],
  ],
  ['a pattern without a star', tagged('pattern', 'latest'), [['latest']], [['latest-1']]],
  ['every tag', tagged('pattern', '*'), [['a']], [[]]],
  ['parts that may not overlap', tagged('pattern', 'ab*ba'), [['abba'], ['abxba']], [['aba']]],
  ['a question mark, which is no wildcard', tagged('pattern', 'a?'), [], [['ab']]],
];

for (const [name, matches, yes, no] of rows)
  test(`Tags are matched: ${name}.`, () => {
    for (const tags of yes) assert.equal(matches(tags), true, tags.join(' '));
    for (const tags of no) assert.equal(matches(tags), false, tags.join(' '));
  });

test('A pattern matches what the glob of the policies does, where there is no question mark.', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 12 });
  const tag = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 16 });
  fc.assert(
    fc.property(text, tag, (pattern, one) => {
      assert.equal(patternMatcher(pattern)(one), matchesGlob(pattern, one));
    }),
    { numRuns: 2000 },
  );
});

test('Each of many requirements is met by what meets its entries one by one, whatever the image before.', () => {
  const entry = fc.string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 1, maxLength: 4 });
  const requirement: fc.Arbitrary<TagRequirement> = fc.oneof(
    fc.record({ status: fc.constantFrom('any' as const, 'untagged' as const) }),
    fc.record({
      status: fc.constant('tagged' as const),
      kind: fc.constantFrom('prefix' as const, 'pattern' as const),
      entries: fc.array(entry, { minLength: 1, maxLength: 3 }),
    }),
  );
  const tags = fc.array(fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 5 }), {
    maxLength: 3,
  });
  const isMet = (each: TagRequirement, of: readonly string[]): boolean => {
    if (each.status !== 'tagged') return each.status === 'any' || of.length === 0;
    return each.entries.every((text) =>
      of.some((tag) => (each.kind === 'prefix' ? tag.startsWith(text) : patternMatcher(text)(tag))),
    );
  };
  fc.assert(
    fc.property(fc.array(requirement, { maxLength: 6 }), fc.array(tags), (many, images) => {
      const match = requirementMatcher(many);
      const met = many.map(() => false);
      for (const of of images) {
        match(of, met);
        assert.deepEqual(
          met,
          many.map((each) => isMet(each, of)),
        );
      }
    }),
    { numRuns: 2000 },
  );
});
