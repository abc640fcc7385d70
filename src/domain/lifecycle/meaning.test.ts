import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../names/digest.ts';
import type { Fate } from './evaluator.ts';
import { fateWords } from './fate-words.ts';
import type { LifecycleImage } from './image.ts';
import { lifecycleRemarks, meaningOf } from './meaning.ts';
import type { LifecycleRule } from './policy.ts';

const untagged: LifecycleRule = {
  priority: 1,
  description: undefined,
  tags: { status: 'untagged' },
  storageClass: 'standard',
  countType: 'sinceImagePushed',
  countNumber: 14,
  action: 'expire',
};
const prefix = (...entries: readonly string[]) => ({
  tags: { status: 'tagged', kind: 'prefix', entries } as const,
});
const pattern = (...entries: readonly string[]) => ({
  tags: { status: 'tagged', kind: 'pattern', entries } as const,
});
const any = { tags: { status: 'any' } } as const;

const meanings: readonly (readonly [change: Partial<LifecycleRule>, meaning: string])[] = [
  [{}, 'expires untagged images that were pushed more than 14 days ago'],
  [
    { ...any, countType: 'imageCountMoreThan', countNumber: 30 },
    'expires images, tagged or not, all but the 30 youngest',
  ],
  [
    { ...prefix('prod'), countNumber: 1 },
    'expires images with a tag that begins with prod that were pushed more than 1 day ago',
  ],
  [
    { ...pattern('v*', '*-rc'), countType: 'sinceImagePulled', action: 'transition' },
    'archives images with all of: a tag that matches v*; a tag that matches *-rc that were last pulled, or pushed and never pulled, more than 14 days ago',
  ],
  [
    { ...any, storageClass: 'archive', countType: 'sinceImageTransitioned', countNumber: 90 },
    'expires archived images, tagged or not that were archived more than 90 days ago',
  ],
];

for (const [change, meaning] of meanings)
  test(`A rule is said in words: ${meaning}.`, () => {
    assert.equal(meaningOf({ ...untagged, ...change }), meaning);
  });

const remarks: readonly (readonly [
  name: string,
  rules: readonly Partial<LifecycleRule>[],
  remarks: readonly RegExp[],
])[] = [
  ['one prefix', [prefix('prod')], []],
  [
    'a list that reads as if one were enough',
    [prefix('prod', 'dev')],
    [/^1 selects only images that have a tag for each of prod, dev at once/],
  ],
  ['prefixes that one tag meets', [prefix('v', 'v1')], []],
  ['patterns that need two tags', [pattern('a*', 'b*')], [/^1 selects only/]],
  ['patterns of which one is enough', [pattern('*', 'b*')], []],
  [
    'a rule behind a wider one',
    [prefix('prod'), prefix('prod-eu')],
    [/^2 never acts: .* rule 1 too/],
  ],
  ['a rule behind every tagged image', [pattern('*'), prefix('prod')], [/^2 never acts/]],
  ['a rule before a wider one', [prefix('prod-eu'), prefix('prod')], []],
  ['a rule for all behind others', [prefix('prod'), any], []],
  ['rules of two storage classes', [pattern('*'), { ...prefix('a'), storageClass: 'archive' }], []],
  [
    'a wider list of both',
    [pattern('a*', 'b*'), prefix('a', 'b')],
    [/^1 selects/, /^2 selects/, /^2 never acts/],
  ],
];

for (const [name, changes, expected] of remarks)
  test(`What a policy says in vain: ${name}.`, () => {
    const rules = changes.map((change, at) => ({ ...untagged, priority: at + 1, ...change }));
    const found = lifecycleRemarks({ rules }).map(({ priority, text }) => `${priority} ${text}`);
    assert.equal(found.length, expected.length, found.join('\n'));
    for (const [at, each] of expected.entries()) assert.match(found[at] ?? '', each);
  });

const image: LifecycleImage = {
  digest: 'sha256:aa' as Digest,
  tags: [],
  pushedAt: 0,
  lastPulledAt: 0,
};
const later = { ...untagged, priority: 5 };

const fates: readonly (readonly [fate: Fate<LifecycleImage>, words: string])[] = [
  [{ kind: 'actedOn', rule: untagged, subject: undefined }, 'rule 1 expires it'],
  [
    { kind: 'actedOn', rule: { ...untagged, action: 'transition' }, subject: image },
    'rule 1 archives it with what it refers to, sha256:aa',
  ],
  [
    { kind: 'held', rule: untagged, by: image },
    'rule 1 selects it, but sha256:aa remains, which it belongs to',
  ],
  [{ kind: 'withSubject', subject: image }, 'it refers to sha256:aa, and goes when that goes'],
  [{ kind: 'noRule' }, 'no rule is about images with its tags'],
  [
    { kind: 'withinCount', rule: untagged, place: 3, shieldedFrom: undefined },
    'rule 1 keeps the 14 youngest, and it is number 3',
  ],
  [
    { kind: 'tooYoung', rule: untagged, at: 0, shieldedFrom: later },
    "rule 1 selects it after 1970-01-01T00:00:00.000Z; rule 5 would act on it, but what meets the tags of rule 1 is that rule's alone",
  ],
];

for (const [fate, words] of fates)
  test(`Why an image goes or stays, in words: ${words}.`, () => {
    assert.equal(fateWords(fate), words);
  });
