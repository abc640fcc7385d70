import type { Digest } from '../names/digest.ts';
import type { LifecycleImage } from './image.ts';
import type { LifecycleRule } from './policy.ts';

/** An image while it is decided on, with what it is tied to. */
export interface Candidate<Image extends LifecycleImage> {
  readonly image: Image;
  /** When it was pushed, or taken out of the archive, wall ms. */
  readonly age: number;
  /** Indexes that name it. */
  indexes: Candidate<Image>[];
  /** What it names, as an index. */
  children: Candidate<Image>[];
  /** What it goes with, where it is an untagged referrer whose subject is here: no rule selects such a one. */
  subject: Candidate<Image> | undefined;
  /** Untagged referrers, which go with it. */
  referrers: Candidate<Image>[];
  /** The first rule, by priority, whose tag requirement it meets: no later one acts on it. */
  first: LifecycleRule | undefined;
  /** Its place among the images of that rule, from 1, the youngest first. */
  place: number;
  /** The first of the later rules that would have acted on it. */
  shieldedFrom: LifecycleRule | undefined;
  /** The rule that acts on it. */
  rule: LifecycleRule | undefined;
  /** What remains, for which it is not acted on; the rule that would have. */
  held: { readonly by: Candidate<Image>; readonly rule: LifecycleRule } | undefined;
}

/** One for each image, the youngest first, tied together in that order. Links to what is not among them are left out. */
export function candidatesOf<Image extends LifecycleImage>(
  images: readonly Image[],
): readonly Candidate<Image>[] {
  const candidates = images.map(candidateOf);
  candidates.sort(
    (one, other) => other.age - one.age || (one.image.digest < other.image.digest ? -1 : 1),
  );
  const naming = candidates.filter(({ image }) => image.children ?? image.subject);
  if (naming.length === 0) return candidates;
  const byDigest = new Map<Digest, Candidate<Image>>();
  for (const candidate of candidates) byDigest.set(candidate.image.digest, candidate);
  for (const candidate of naming) {
    const { children = [], subject, tags } = candidate.image;
    for (const digest of children) {
      const child = byDigest.get(digest);
      if (child === undefined || child === candidate) continue;
      candidate.children = withOne(candidate.children, child);
      child.indexes = withOne(child.indexes, candidate);
    }
    const referred = subject === undefined ? undefined : byDigest.get(subject);
    if (referred === undefined || referred === candidate || tags.length > 0) continue;
    candidate.subject = referred;
    referred.referrers = withOne(referred.referrers, candidate);
  }
  return candidates;
}

/** Whether an index names it, or it names something as one, or it has referrers or a subject. */
export function isTied<Image extends LifecycleImage>(candidate: Candidate<Image>): boolean {
  const { indexes, children, referrers, subject } = candidate;
  return indexes.length > 0 || children.length > 0 || referrers.length > 0 || subject !== undefined;
}

/** Of most images nothing is tied to: they share this list, which nothing is added to. */
const none: never[] = [];

function withOne<One>(list: One[], one: One): One[] {
  if (list.length === 0) return [one];
  list.push(one);
  return list;
}

function candidateOf<Image extends LifecycleImage>(image: Image): Candidate<Image> {
  return {
    image,
    age: image.activatedAt ?? image.pushedAt,
    indexes: none,
    children: none,
    subject: undefined,
    referrers: none,
    first: undefined,
    place: 0,
    shieldedFrom: undefined,
    rule: undefined,
    held: undefined,
  };
}
