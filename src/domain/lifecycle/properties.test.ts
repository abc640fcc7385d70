import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Digest } from '../names/digest.ts';
import { evaluateLifecycle } from './evaluator.ts';
import type { LifecycleImage } from './image.ts';
import { parseLifecyclePolicy } from './parser.ts';
import type { LifecyclePolicy, LifecycleRule } from './policy.ts';
import { requirementMatcher } from './tag-match.ts';

const day = 24 * 60 * 60 * 1000;
const now = 1000 * day;

const word = fc.constantFrom('a', 'b', 'c', 'ab', 'bc');

const requirement: fc.Arbitrary<LifecycleRule['tags']> = fc.oneof(
  fc.record({ status: fc.constant('untagged' as const) }),
  fc.record({
    status: fc.constant('tagged' as const),
    kind: fc.constantFrom('prefix' as const, 'pattern' as const),
    entries: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', '*', '*b', 'a*'), {
      minLength: 1,
      maxLength: 2,
    }),
  }),
);

const way = fc.oneof(
  fc.record({
    storageClass: fc.constant('standard' as const),
    countType: fc.constantFrom(
      'imageCountMoreThan' as const,
      'sinceImagePushed' as const,
      'sinceImagePulled' as const,
    ),
    action: fc.constantFrom('expire' as const, 'transition' as const),
  }),
  fc.record({
    storageClass: fc.constant('archive' as const),
    countType: fc.constant('sinceImageTransitioned' as const),
    action: fc.constant('expire' as const),
  }),
);

/** Rules by ascending priority; a last one for any image in some. */
const policy: fc.Arbitrary<LifecyclePolicy> = fc
  .array(fc.record({ tags: requirement, way, countNumber: fc.integer({ min: 1, max: 6 }) }), {
    minLength: 1,
    maxLength: 5,
  })
  .chain((rules) =>
    fc.boolean().map((any) => ({
      rules: rules.map(({ tags, way: how, countNumber }, at) => ({
        priority: at + 1,
        description: undefined,
        tags: any && at === rules.length - 1 ? { status: 'any' as const } : tags,
        ...how,
        countNumber,
      })),
    })),
  );

const digestOf = (at: number): Digest => `sha256:${String(at).padStart(4, '0')}` as Digest;

/** Images that refer to earlier ones alone, as digests do. */
const images: fc.Arbitrary<readonly LifecycleImage[]> = fc
  .array(
    fc.record({
      tags: fc.uniqueArray(word, { maxLength: 2 }),
      age: fc.integer({ min: 0, max: 8 }),
      pulled: fc.option(fc.integer({ min: 0, max: 8 })),
      children: fc.array(fc.nat(), { maxLength: 2 }),
      subject: fc.option(fc.nat(), { freq: 2 }),
      archived: fc.option(fc.integer({ min: 0, max: 8 }), { freq: 3 }),
      activated: fc.option(fc.integer({ min: 0, max: 8 }), { freq: 3 }),
    }),
    { maxLength: 14 },
  )
  .map((drawn) =>
    drawn.map((one, at) => ({
      digest: digestOf(at),
      tags: one.tags.map((tag) => `${tag}${at}`),
      pushedAt: now - one.age * day - 1,
      lastPulledAt: one.pulled === null ? 0 : now - one.pulled * day - 1,
      children: at === 0 ? [] : one.children.map((child) => digestOf(child % at)),
      subject: one.subject === null || at === 0 ? undefined : digestOf(one.subject % at),
      archivedAt: one.archived === null ? undefined : now - one.archived * day - 1,
      activatedAt: one.activated === null ? undefined : now - one.activated * day - 1,
    })),
  );

function meets(requirement: LifecycleRule['tags'], tags: readonly string[]): boolean {
  const met = [false];
  requirementMatcher([requirement])(tags, met);
  return met[0] === true;
}

const runs = { numRuns: 3000 };

/** What the user guide says, one sentence after the other, however long it takes. */
function asTheGuideSays(
  { rules }: LifecyclePolicy,
  all: readonly LifecycleImage[],
): ReadonlyMap<Digest, LifecycleRule> {
  const age = (one: LifecycleImage): number => one.activatedAt ?? one.pushedAt;
  const subjectOf = (one: LifecycleImage): LifecycleImage | undefined =>
    one.tags.length > 0 ? undefined : all.find(({ digest }) => digest === one.subject);
  const isOf = (rule: LifecycleRule, one: LifecycleImage): boolean =>
    subjectOf(one) === undefined &&
    rule.storageClass === (one.archivedAt === undefined ? 'standard' : 'archive') &&
    meets(rule.tags, one.tags);
  const younger = (one: LifecycleImage, other: LifecycleImage): boolean =>
    age(one) > age(other) || (age(one) === age(other) && one.digest < other.digest);
  const selects = (rule: LifecycleRule, one: LifecycleImage): boolean => {
    const limit = now - rule.countNumber * day;
    switch (rule.countType) {
      case 'imageCountMoreThan':
        return (
          all.filter((other) => isOf(rule, other) && younger(other, one)).length >= rule.countNumber
        );
      case 'sinceImagePushed':
        return age(one) < limit;
      case 'sinceImagePulled':
        return Math.max(one.lastPulledAt || age(one), one.activatedAt ?? 0) < limit;
      case 'sinceImageTransitioned':
        return (one.archivedAt ?? now) < limit;
    }
  };
  const fate = new Map<Digest, LifecycleRule>();
  for (const one of all) {
    const first = rules.find((rule) => isOf(rule, one));
    if (first !== undefined && selects(first, one)) fate.set(one.digest, first);
  }
  followSubjects(fate, all, subjectOf);
  while (spareOne(fate, all, subjectOf));
  return fate;
}

function followSubjects(
  fate: Map<Digest, LifecycleRule>,
  all: readonly LifecycleImage[],
  subjectOf: (one: LifecycleImage) => LifecycleImage | undefined,
): void {
  // An image refers to earlier ones alone.
  for (const one of all) {
    const rule = fate.get(subjectOf(one)?.digest ?? digestOf(-1));
    if (rule !== undefined && (rule.action === 'expire' || one.archivedAt === undefined))
      fate.set(one.digest, rule);
  }
}

/** 0: here, 1: in the archive, 2: gone. */
function whereTo(fate: ReadonlyMap<Digest, LifecycleRule>, one: LifecycleImage): number {
  const action = fate.get(one.digest)?.action;
  if (action === 'expire') return 2;
  return action === 'transition' || one.archivedAt !== undefined ? 1 : 0;
}

function spareOne(
  fate: Map<Digest, LifecycleRule>,
  all: readonly LifecycleImage[],
  subjectOf: (one: LifecycleImage) => LifecycleImage | undefined,
): boolean {
  const spared = all.find((one) => {
    const rule = fate.get(one.digest);
    if (rule === undefined) return false;
    const subject = subjectOf(one);
    if (subject !== undefined && fate.get(subject.digest) !== rule) return true;
    return all.some(
      (index) =>
        index.children?.includes(one.digest) === true && whereTo(fate, index) < whereTo(fate, one),
    );
  });
  return spared !== undefined && fate.delete(spared.digest);
}

test('What is acted on is what the user guide says, and each by one rule.', () => {
  fc.assert(
    fc.property(policy, images, (rules, all) => {
      const acted = evaluateLifecycle(rules, all, now);
      const found = new Map(acted.map(({ image, rule }) => [image.digest, rule.priority]));
      assert.equal(found.size, acted.length);
      const expected = [...asTheGuideSays(rules, all)].map(
        ([digest, { priority }]) => [digest, priority] as const,
      );
      assert.deepEqual(found, new Map(expected));
    }),
    runs,
  );
});

test('No image is acted on that matches the tags of an earlier rule of its storage class.', () => {
  fc.assert(
    fc.property(policy, images, (rules, all) => {
      const here = new Set(all.map(({ digest }) => digest));
      for (const { image, rule } of evaluateLifecycle(rules, all, now)) {
        const isReferrer =
          image.tags.length === 0 && image.subject !== undefined && here.has(image.subject);
        if (isReferrer) continue;
        const storageClass = image.archivedAt === undefined ? 'standard' : 'archive';
        const earlier = rules.rules.filter(
          (each) => each.priority < rule.priority && each.storageClass === storageClass,
        );
        assert.ok(earlier.every(({ tags }) => !meets(tags, image.tags)));
      }
    }),
    runs,
  );
});

test('Nothing goes whose index remains, nor before what refers to it.', () => {
  fc.assert(
    fc.property(policy, images, (rules, all) => {
      const acted = evaluateLifecycle(rules, all, now);
      const places = new Map(acted.map(({ image }, at) => [image.digest, at]));
      for (const [at, { image, rule }] of acted.entries())
        for (const index of all.filter(({ children }) => children?.includes(image.digest))) {
          const place = places.get(index.digest);
          if (rule.action === 'expire') assert.equal(acted[place ?? -1]?.rule.action, 'expire');
          assert.ok(place === undefined ? index.archivedAt !== undefined : place < at);
        }
      for (const [at, { image }] of acted.entries())
        for (const referrer of all.filter(
          ({ subject, tags }) => subject === image.digest && tags.length === 0,
        ))
          assert.ok((places.get(referrer.digest) ?? -1) < at);
    }),
    runs,
  );
});

test('What is stopped half-way goes on: nothing is chosen then that was not at first.', () => {
  const expiring = policy.map(({ rules }) => ({
    rules: rules.map((rule) => ({ ...rule, action: 'expire' as const })),
  }));
  fc.assert(
    fc.property(expiring, images, fc.nat(), (rules, all, stop) => {
      const first = evaluateLifecycle(rules, all, now).map(({ image }) => image.digest);
      const done = new Set(first.slice(0, first.length === 0 ? 0 : stop % first.length));
      const rest = all.filter(({ digest }) => !done.has(digest));
      for (const { image } of evaluateLifecycle(rules, rest, now))
        assert.ok(first.includes(image.digest));
    }),
    runs,
  );
});

test('Neither the order of the images nor that of the rules in the text matters.', () => {
  const write = (rules: readonly LifecycleRule[]): string =>
    JSON.stringify({
      rules: rules.map(({ priority, tags, countType, countNumber }) => ({
        rulePriority: priority,
        selection: {
          tagStatus: tags.status,
          ...(tags.status === 'tagged' ? { tagPatternList: tags.entries } : {}),
          countType,
          ...(countType === 'imageCountMoreThan' ? {} : { countUnit: 'days' }),
          countNumber,
        },
        action: { type: 'expire' },
      })),
    });
  const options = { expireByPull: true };
  const written = policy
    .map(({ rules }) => rules.filter(({ storageClass }) => storageClass === 'standard'))
    .filter(
      (rules) =>
        rules.length > 1 && rules.filter(({ tags }) => tags.status === 'untagged').length < 2,
    );
  fc.assert(
    fc.property(
      written,
      images,
      fc.array(fc.nat(), { minLength: 20, maxLength: 20 }),
      (rules, all, keys) => {
        const shuffled = <T>(list: readonly T[]): readonly T[] =>
          list
            .map((one, at) => [keys[at] ?? 0, one] as const)
            .toSorted(([x], [y]) => x - y)
            .map(([, one]) => one);
        assert.deepEqual(
          evaluateLifecycle(
            parseLifecyclePolicy(write(shuffled(rules)), options),
            shuffled(all),
            now,
          ),
          evaluateLifecycle(parseLifecyclePolicy(write(rules), options), all, now),
        );
      },
    ),
    { numRuns: 1000 },
  );
});
