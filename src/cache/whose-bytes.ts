import type { RepositoryKey } from '../domain/names/registry.ts';
import type { PullRule, PullTarget } from '../domain/rules/pull-rule.ts';
import { ruleIdentity } from '../domain/rules/rule-identity.ts';
import type { BlobClaim, Counting, StoredManifest, StoredTag } from '../metadata/contract/rows.ts';
import type { PullRequest } from './pull-request.ts';
import { sourceOf } from './pull-request.ts';

/** The rule that leads to a repository now; `undefined` where none does. */
export type RuleOf = (key: RepositoryKey) => PullRule | undefined;

/**
 * Which of a repository's records its lists show: those that a pull of what they name would be served from. While its rule
 * stops it, only what was pushed; where no rule leads there, all (`undefined`).
 */
export function countingRecords(target: PullTarget, stopped: boolean): Counting | undefined {
  const { rule } = target;
  if (rule === undefined) return undefined;
  if (stopped) return { rule: undefined, sources: [] };
  return { rule: ruleIdentity(rule), sources: rule.urls.map((url) => sourceOf(url, target)) };
}

/** `countingRecords`, by what the cache knows of the repository's stop. */
export type CountRecords = (request: PullRequest) => Promise<Counting | undefined>;

/** Whether a stored tag is among them. */
export function tagCountsFor(
  { provenance, source }: Pick<StoredTag, 'provenance' | 'source'>,
  counting: Counting | undefined,
): boolean {
  return counting === undefined || provenance !== 'cached' || counting.sources.includes(source);
}

/** The same for a stored manifest. */
export function manifestCountsFor(
  { provenance, rule }: Pick<StoredManifest, 'provenance' | 'rule'>,
  counting: Counting | undefined,
): boolean {
  if (counting === undefined || provenance !== undefined) return true;
  return counting.rule !== undefined && rule === counting.rule;
}

/**
 * Whether a repository may give the blob out as it is here (ARCHITECTURE.md, "Whose bytes"). While its rule stops it, only what
 * was pushed into it.
 */
export function holdsBlob({ held }: BlobClaim, stopped: boolean): boolean {
  return held === 'pushed' || (held === 'fetched' && !stopped);
}

/** The same for a manifest of the repository: pushed, or come through the rule that leads there now. */
export function holdsManifest(
  { provenance, rule }: Pick<StoredManifest, 'provenance' | 'rule'>,
  current: PullRule | undefined,
): boolean {
  return provenance !== undefined || current === undefined || rule === ruleIdentity(current);
}
