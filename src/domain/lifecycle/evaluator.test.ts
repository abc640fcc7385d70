import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '../names/digest.ts';
import { evaluateLifecycle, explainLifecycle } from './evaluator.ts';
import type { Fate } from './evaluator.ts';
import type { LifecycleImage } from './image.ts';
import type { LifecyclePolicy, LifecycleRule } from './policy.ts';

const day = 24 * 60 * 60 * 1000;
const now = 1000 * day;

const digest = (name: string): Digest => `sha256:${name}` as Digest;

/** An image that was pushed so many days ago. */
function image(name: string, days: number, more: Partial<LifecycleImage> = {}): LifecycleImage {
  const fixed = { digest: digest(name), tags: [], lastPulledAt: 0 };
  return { ...fixed, pushedAt: now - days * day, ...more };
}

function rule(priority: number, change: Partial<LifecycleRule> = {}): LifecycleRule {
  return {
    priority,
    description: undefined,
    tags: { status: 'any' },
    storageClass: 'standard',
    countType: 'imageCountMoreThan',
    countNumber: 1,
    action: 'expire',
    ...change,
  };
}

const untagged = { status: 'untagged' } as const;
const prefix = (...entries: readonly string[]) =>
  ({ status: 'tagged', kind: 'prefix', entries }) as const;
const pattern = (...entries: readonly string[]) =>
  ({ status: 'tagged', kind: 'pattern', entries }) as const;
const pushed = (countNumber: number) => ({ countType: 'sinceImagePushed', countNumber }) as const;
const pulled = { countType: 'sinceImagePulled', action: 'transition' } as const;
const inArchive = {
  countType: 'sinceImageTransitioned',
  storageClass: 'archive',
  countNumber: 90,
} as const;

/** Names and priorities in the order of acting: `a:1`. */
function acted(policy: readonly LifecycleRule[], images: readonly LifecycleImage[]): string {
  return evaluateLifecycle({ rules: policy }, images, now)
    .map(({ image: { digest: name }, rule: { priority } }) => `${name.slice(7)}:${priority}`)
    .join(' ');
}

const [a, b, c] = ['a', 'b', 'c'].map((name, at) => image(name, at + 1)) as [
  LifecycleImage,
  LifecycleImage,
  LifecycleImage,
];

const rows: readonly (readonly [
  name: string,
  rules: readonly LifecycleRule[],
  images: readonly LifecycleImage[],
  acted: string,
])[] = [
  ['no images', [rule(1)], [], ''],
  ['all but the youngest, the oldest first', [rule(1)], [b, a, c], 'c:1 b:1'],
  ['of the same age the digest decides', [rule(1)], [image('y', 2), image('x', 2)], 'y:1'],
  ['fewer than the rule keeps', [rule(1, { countNumber: 3 })], [a, b, c], ''],
  ['older than the days', [rule(1, pushed(2))], [a, b, c], 'c:1'],
  ['exactly as old as the days is not older', [rule(1, pushed(3))], [a, b, c], ''],
  [
    'what matches a rule is taken by no later one',
    [rule(1, { tags: prefix('keep'), countNumber: 100 }), rule(2, pushed(1))],
    [image('kept', 9, { tags: ['keep-1'] }), image('gone', 8, { tags: ['x'] })],
    'gone:2',
  ],
  [
    'the lower number decides where both would take it',
    [rule(1, { tags: prefix('a'), ...pushed(1) }), rule(2, pushed(1))],
    [image('x', 9, { tags: ['a'] }), image('y', 9)],
    'y:2 x:1',
  ],
  [
    'a later rule counts what an earlier one took',
    [rule(1, { tags: prefix('a'), ...pushed(1) }), rule(2, { countNumber: 2 })],
    [image('x', 2, { tags: ['a'] }), image('y', 3), image('z', 4)],
    'z:2 x:1',
  ],
  [
    'a later rule counts what an earlier one spares',
    [rule(1, { tags: prefix('a'), countNumber: 9 }), rule(2)],
    [image('x', 2, { tags: ['a'] }), image('y', 3)],
    'y:2',
  ],
  [
    'the user guide: alpha and beta are a rule apart, and an image with both is the first one’s',
    [
      rule(1, { tags: prefix('alpha'), countNumber: 1 }),
      rule(2, { tags: prefix('beta'), countNumber: 1 }),
    ],
    [
      image('a', 5, { tags: ['alpha-1'] }),
      image('b', 4, { tags: ['beta-1'] }),
      image('c', 3, { tags: ['alpha-2', 'beta-2'] }),
      image('d', 2, { tags: ['beta-3'] }),
    ],
    'a:1 b:2',
  ],
  [
    'a list of prefixes means all of them at once',
    [rule(1, { tags: prefix('alpha', 'beta'), ...pushed(1) })],
    [image('one', 9, { tags: ['alpha-1'] }), image('both', 9, { tags: ['alpha-2', 'beta-2'] })],
    'both:1',
  ],
  [
    'a list of patterns does too',
    [rule(1, { tags: pattern('a*', '*z'), ...pushed(1) })],
    [
      image('one', 9, { tags: ['a'] }),
      image('both', 9, { tags: ['a', 'z'] }),
      image('same', 8, { tags: ['az'] }),
    ],
    'both:1 same:1',
  ],
  [
    'pulls count, and of what was never pulled the push',
    [rule(1, { ...pulled, countNumber: 10 })],
    [
      image('pulled', 50, { lastPulledAt: now - 5 * day }),
      image('long-ago', 50, { lastPulledAt: now - 11 * day }),
      image('never', 12),
      image('new', 9),
    ],
    'long-ago:1 never:1',
  ],
  [
    'what was restored counts from then on, for pulls',
    [rule(1, { ...pulled, countNumber: 10 })],
    [
      image('before', 50, { activatedAt: now - 5 * day, lastPulledAt: now - 20 * day }),
      image('after', 50, { activatedAt: now - 30 * day, lastPulledAt: now - 20 * day }),
      image('never', 50, { activatedAt: now - 5 * day }),
    ],
    'after:1',
  ],
  [
    'what was restored counts from then on, for pushes',
    [rule(1, pushed(10))],
    [image('restored', 50, { activatedAt: now - 5 * day }), image('x', 20)],
    'x:1',
  ],
  [
    'what was restored is as young as that',
    [rule(1)],
    [image('restored', 50, { activatedAt: now - 5 * day }), image('x', 20)],
    'x:1',
  ],
  [
    'the archive is looked at by its own rules alone, and not counted by others',
    [rule(1), rule(2, inArchive)],
    [
      image('old', 500, { archivedAt: now - 91 * day }),
      image('new', 400, { archivedAt: now - 89 * day }),
      a,
    ],
    'old:2',
  ],
  [
    'what goes to the archive is not what expires from it',
    [rule(1, { ...pulled, countNumber: 10 }), rule(2, inArchive)],
    [image('x', 500)],
    'x:1',
  ],
  [
    'a child stays while its index stays',
    [rule(1, { tags: untagged, ...pushed(1) })],
    [
      image('index', 9, { tags: ['v1'], children: [digest('child'), digest('missing')] }),
      image('child', 9),
    ],
    '',
  ],
  [
    'a child goes after its index, though it is older',
    [rule(1, pushed(1))],
    [image('index', 8, { children: [digest('child')] }), image('child', 9), image('x', 10)],
    'x:1 index:1 child:1',
  ],
  [
    'a child of two indexes stays with either',
    [rule(1, { tags: untagged, ...pushed(1) })],
    [
      image('one', 9, { children: [digest('child')] }),
      image('two', 9, { tags: ['v1'], children: [digest('child')] }),
      image('child', 9),
    ],
    'one:1',
  ],
  [
    'what a child names stays too',
    [rule(1, { tags: untagged, ...pushed(1) })],
    [
      image('top', 9, { tags: ['v1'], children: [digest('index')] }),
      image('index', 9, { children: [digest('leaf')] }),
      image('leaf', 9),
    ],
    '',
  ],
  [
    'a child of an index that is archived does not expire',
    [rule(1, { tags: prefix('v'), ...pulled }), rule(2, { tags: untagged, ...pushed(1) })],
    [image('index', 9, { tags: ['v1'], children: [digest('child')] }), image('child', 9)],
    'index:1',
  ],
  [
    'a child is archived with its index',
    [rule(1, pulled)],
    [image('index', 8, { children: [digest('child')] }), image('child', 9)],
    'index:1 child:1',
  ],
  [
    'a child is archived where its index is already',
    [rule(1, pulled)],
    [image('index', 8, { children: [digest('child')], archivedAt: now - day }), image('child', 9)],
    'child:1',
  ],
  [
    'referrers go with their subject, before it, those of referrers too',
    [rule(1, { tags: prefix('v'), ...pushed(1) })],
    [
      image('subject', 9, { tags: ['v1'] }),
      image('signature', 8, { subject: digest('subject') }),
      image('of-it', 7, { subject: digest('signature') }),
    ],
    'of-it:1 signature:1 subject:1',
  ],
  [
    'a referrer is no untagged image of its own, and does not count',
    [rule(1, { tags: untagged })],
    [a, image('signature', 0, { subject: a.digest }), b],
    'b:1',
  ],
  [
    'a referrer stays with a subject that an index holds',
    [rule(1, { tags: untagged, ...pushed(1) })],
    [
      image('index', 9, { tags: ['v1'], children: [digest('child')] }),
      image('child', 9),
      image('sbom', 9, { subject: digest('child') }),
    ],
    '',
  ],
  [
    'a referrer that an index names stays with it',
    [rule(1, { tags: prefix('v'), ...pushed(1) })],
    [
      image('subject', 9, { tags: ['v1'] }),
      image('sbom', 9, { subject: digest('subject') }),
      image('index', 9, { tags: ['x'], children: [digest('sbom')] }),
    ],
    'subject:1',
  ],
  [
    'a tagged referrer is an image of its own',
    [rule(1, { tags: prefix('v'), ...pushed(1) })],
    [
      image('subject', 9, { tags: ['v1'] }),
      image('signature', 9, { tags: ['x'], subject: digest('subject') }),
    ],
    'subject:1',
  ],
  [
    'a referrer whose subject is not here is an untagged image',
    [rule(1, { tags: untagged, ...pushed(1) })],
    [image('signature', 9, { subject: digest('elsewhere') })],
    'signature:1',
  ],
  [
    'a referrer is archived with its subject, and what is archived is not again',
    [rule(1, { tags: prefix('v'), ...pulled })],
    [
      image('subject', 9, { tags: ['v1'] }),
      image('here', 9, { subject: digest('subject') }),
      image('there', 9, { subject: digest('subject'), archivedAt: now - day }),
    ],
    'here:1 subject:1',
  ],
  [
    'a referrer in the archive goes with a subject that expires',
    [rule(1, { tags: prefix('v'), ...pushed(1) })],
    [
      image('subject', 9, { tags: ['v1'] }),
      image('there', 9, { subject: digest('subject'), archivedAt: now }),
    ],
    'there:1 subject:1',
  ],
];

for (const [name, rules, images, expected] of rows)
  test(`What a policy acts on: ${name}.`, () => {
    assert.equal(acted(rules, images), expected);
    assert.equal(acted(rules, images.toReversed()), expected);
  });

/** Why the image `x` goes or stays. */
function fate(
  rules: LifecyclePolicy['rules'],
  images: readonly LifecycleImage[],
): Fate<LifecycleImage> {
  const found = explainLifecycle({ rules }, images, now).find(
    (each) => each.image.digest === digest('x'),
  );
  assert.ok(found !== undefined);
  return found.fate;
}

const keep = rule(1, { tags: prefix('keep'), countNumber: 2 });
const old = rule(2, pushed(5));
const x = image('x', 9);
const kept = { ...x, tags: ['keep'] };
const subject = image('subject', 9);
const index = image('index', 1, { tags: ['keep'], children: [x.digest] });

const fates: readonly (readonly [
  name: string,
  rules: readonly LifecycleRule[],
  images: readonly LifecycleImage[],
  fate: Fate<LifecycleImage>,
])[] = [
  ['a rule takes it', [old], [x], { kind: 'actedOn', rule: old, subject: undefined }],
  [
    'it goes with its subject',
    [old],
    [subject, { ...x, subject: subject.digest }],
    { kind: 'actedOn', rule: old, subject },
  ],
  ['its index remains', [keep, old], [index, x], { kind: 'held', rule: old, by: index }],
  [
    'its subject stays',
    [keep],
    [subject, { ...x, subject: subject.digest }],
    { kind: 'withSubject', subject },
  ],
  ['no rule matches it', [keep], [x], { kind: 'noRule' }],
  [
    'it is one of those that a rule keeps',
    [keep],
    [a, kept, image('y', 3, { tags: ['keep'] })],
    { kind: 'withinCount', rule: keep, place: 2, shieldedFrom: undefined },
  ],
  [
    'a rule keeps it from a later one',
    [keep, old],
    [kept],
    { kind: 'withinCount', rule: keep, place: 1, shieldedFrom: old },
  ],
  [
    'it is too young',
    [rule(3, pushed(20))],
    [x],
    { kind: 'tooYoung', rule: rule(3, pushed(20)), at: now + 11 * day, shieldedFrom: undefined },
  ],
];

for (const [name, rules, images, expected] of fates)
  test(`Why an image goes or stays: ${name}.`, () => {
    assert.deepEqual(fate(rules, images), expected);
  });
