import type { Candidate } from './candidates.ts';
import { isTied } from './candidates.ts';
import type { LifecycleImage } from './image.ts';

/** Referrers go with their subject, by the rule that acts on it. */
export function addReferrers<Image extends LifecycleImage>(
  candidates: readonly Candidate<Image>[],
): void {
  const acted = candidates.filter(({ rule }) => rule !== undefined);
  for (let subject = acted.pop(); subject !== undefined; subject = acted.pop()) {
    for (const referrer of subject.referrers) {
      if (referrer.rule !== undefined || !mayMove(referrer, subject)) continue;
      referrer.rule = subject.rule;
      acted.push(referrer);
    }
  }
}

/** What is archived already is not archived again. */
function mayMove<Image extends LifecycleImage>(
  referrer: Candidate<Image>,
  { rule }: Candidate<Image>,
): boolean {
  return rule?.action === 'expire' || referrer.image.archivedAt === undefined;
}

/**
 * Spares every image that an index names which remains, and the referrers of what is spared; that may be an index too, so that its
 * children are spared in turn. Each image is spared once at most: the cost is that of the links.
 */
export function spareWhatRemains<Image extends LifecycleImage>(
  candidates: readonly Candidate<Image>[],
): void {
  const remaining = candidates.filter((one) => isTied(one) && whereTo(one) < gone);
  for (let one = remaining.pop(); one !== undefined; one = remaining.pop()) {
    const tied = [
      ...one.children.filter((child) => whereTo(child) > whereTo(one)),
      ...one.referrers.filter(({ rule }) => rule !== undefined && rule !== one.rule),
    ];
    for (const spared of tied) {
      const { rule } = spared;
      if (rule === undefined) continue;
      spared.held = { by: one, rule };
      spared.rule = undefined;
      remaining.push(spared);
    }
  }
}

const here = 0;
const archived = 1;
const gone = 2;

/** Where an image is when all is done. A child may not get further than an index that names it. */
function whereTo<Image extends LifecycleImage>({ rule, image }: Candidate<Image>): number {
  if (rule?.action === 'expire') return gone;
  return rule?.action === 'transition' || image.archivedAt !== undefined ? archived : here;
}

/**
 * The images acted on, the oldest first, each after all that refers to it: indexes that name it, and its referrers. Whoever stops half-way
 * leaves nothing that refers to what is gone.
 */
export function inOrder<Image extends LifecycleImage>(
  oldestFirst: readonly Candidate<Image>[],
): readonly Candidate<Image>[] {
  const ordered: Candidate<Image>[] = [];
  const seen = new Set<Candidate<Image>>();
  const open: { readonly candidate: Candidate<Image>; readonly ready: boolean }[] = [];
  for (const next of oldestFirst) {
    if (next.rule === undefined) continue;
    if (!isTied(next)) {
      ordered.push(next);
      continue;
    }
    open.push({ candidate: next, ready: false });
    for (let step = open.pop(); step !== undefined; step = open.pop()) {
      const { candidate, ready } = step;
      if (ready) ordered.push(candidate);
      if (ready || candidate.rule === undefined || seen.has(candidate)) continue;
      seen.add(candidate);
      open.push({ candidate, ready: true });
      for (const index of candidate.indexes) open.push({ candidate: index, ready: false });
      for (const referrer of candidate.referrers) open.push({ candidate: referrer, ready: false });
    }
  }
  return ordered;
}
