import type { Candidate } from './candidates.ts';
import { candidatesOf } from './candidates.ts';
import type { LifecycleImage } from './image.ts';
import type { LifecyclePolicy, LifecycleRule } from './policy.ts';
import { requirementMatcher } from './tag-match.ts';
import { addReferrers, inOrder, spareWhatRemains } from './ties.ts';

const dayMs = 24 * 60 * 60 * 1000;

/** An image that a rule acts on. */
export interface ActedOn<Image extends LifecycleImage> {
  readonly image: Image;
  /** For a referrer that goes with its subject, that one's. */
  readonly rule: LifecycleRule;
}

/** Why an image goes or stays. Of two that apply, the first of this list is said. */
export type Fate<Image extends LifecycleImage> =
  | { readonly kind: 'actedOn'; readonly rule: LifecycleRule; readonly subject: Image | undefined }
  /** A rule selects it, and an index that names it, or the subject it refers to, remains. */
  | { readonly kind: 'held'; readonly rule: LifecycleRule; readonly by: Image }
  /** A referrer: it stays as long as its subject. */
  | { readonly kind: 'withSubject'; readonly subject: Image }
  | { readonly kind: 'noRule' }
  /** The rule keeps this many, and it is one of them. */
  | (Shield & { readonly kind: 'withinCount'; readonly place: number })
  /** The rule selects it after `at`, wall ms. */
  | (Shield & { readonly kind: 'tooYoung'; readonly at: number });

interface Shield {
  /** The first rule that it meets the tag requirement of. */
  readonly rule: LifecycleRule;
  /** The later rule that would act on it, were it not for that one. */
  readonly shieldedFrom: LifecycleRule | undefined;
}

/**
 * The images that the policy acts on now, in the order in which that may be done: the oldest first, but each after the indexes that
 * name it and after its referrers. As ECR's evaluator (user guide, "Lifecycle policy evaluation rules"), with two additions of ours: no image is
 * expired whose index is merely archived, and an untagged referrer whose subject is here is selected by no rule.
 *
 * Every image is looked at once, after one sort, which images that come youngest first are spared. `now` is wall ms.
 */
export function evaluateLifecycle<Image extends LifecycleImage>(
  policy: LifecyclePolicy,
  images: readonly Image[],
  now: number,
): readonly ActedOn<Image>[] {
  const acted: ActedOn<Image>[] = [];
  for (const { image, rule } of inOrder(decide(policy, images, now).toReversed()))
    if (rule !== undefined) acted.push({ image, rule });
  return acted;
}

/** What becomes of each image and why, the youngest first. */
export function explainLifecycle<Image extends LifecycleImage>(
  policy: LifecyclePolicy,
  images: readonly Image[],
  now: number,
): readonly { readonly image: Image; readonly fate: Fate<Image> }[] {
  return decide(policy, images, now).map((candidate) => ({
    image: candidate.image,
    fate: fateOf(candidate),
  }));
}

/** The youngest first. */
function decide<Image extends LifecycleImage>(
  policy: LifecyclePolicy,
  images: readonly Image[],
  now: number,
): readonly Candidate<Image>[] {
  const youngestFirst = candidatesOf(images);
  for (const storageClass of ['standard', 'archive'] as const) {
    const rules = policy.rules.filter((rule) => rule.storageClass === storageClass);
    if (rules.length === 0) continue;
    const selectable = youngestFirst.filter(
      ({ image, subject }) =>
        subject === undefined && (image.archivedAt !== undefined) === (storageClass === 'archive'),
    );
    applyRules(rules, selectable, now);
  }
  addReferrers(youngestFirst);
  spareWhatRemains(youngestFirst);
  return youngestFirst;
}

/**
 * Rules of one storage class on its images. What matches a rule is that rule's, and counts for the later ones all the same.
 */
function applyRules<Image extends LifecycleImage>(
  rules: readonly LifecycleRule[],
  youngestFirst: readonly Candidate<Image>[],
  now: number,
): void {
  const matchTags = requirementMatcher(rules.map(({ tags }) => tags));
  const met = rules.map(() => false);
  const counts = rules.map(() => 0);
  for (const candidate of youngestFirst) {
    matchTags(candidate.image.tags, met);
    for (let at = met.indexOf(true); at >= 0; at = met.indexOf(true, at + 1)) {
      const rule = rules[at];
      if (rule === undefined) break;
      const place = (counts[at] ?? 0) + 1;
      counts[at] = place;
      const selected = isSelected(rule, candidate, place, now);
      if (candidate.first === undefined) {
        candidate.first = rule;
        candidate.place = place;
        if (selected) candidate.rule = rule;
      } else if (selected) candidate.shieldedFrom ??= rule;
    }
  }
}

function isSelected(
  rule: LifecycleRule,
  candidate: Pick<Candidate<LifecycleImage>, 'image' | 'age'>,
  place: number,
  now: number,
): boolean {
  return rule.countType === 'imageCountMoreThan'
    ? place > rule.countNumber
    : sinceOf(rule, candidate) < now - rule.countNumber * dayMs;
}

/** The wall ms from which a rule of days counts. */
function sinceOf(
  { countType }: LifecycleRule,
  { image, age }: Pick<Candidate<LifecycleImage>, 'image' | 'age'>,
): number {
  if (countType === 'sinceImageTransitioned') return image.archivedAt ?? Number.POSITIVE_INFINITY;
  if (countType !== 'sinceImagePulled' || image.lastPulledAt === 0) return age;
  return Math.max(image.lastPulledAt, image.activatedAt ?? 0);
}

function fateOf<Image extends LifecycleImage>(candidate: Candidate<Image>): Fate<Image> {
  const { rule, held, subject, first, place, shieldedFrom } = candidate;
  if (rule !== undefined) return { kind: 'actedOn', rule, subject: subject?.image };
  if (held !== undefined) return { kind: 'held', rule: held.rule, by: held.by.image };
  if (subject !== undefined) return { kind: 'withSubject', subject: subject.image };
  if (first === undefined) return { kind: 'noRule' };
  const shield = { rule: first, shieldedFrom };
  if (first.countType === 'imageCountMoreThan') return { kind: 'withinCount', place, ...shield };
  const at = sinceOf(first, candidate) + first.countNumber * dayMs;
  return { kind: 'tooYoung', at, ...shield };
}
