import type { PullTarget, UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import { asksAsSomebody } from '../../domain/rules/pull-rule.ts';
import { asWhom, ruleIdentity } from '../../domain/rules/rule-identity.ts';
import type { RepositoryKey } from '../../metadata/contract/metadata.ts';
import type { PullRequest } from '../cache.ts';

export function repositoryKey(request: PullRequest): RepositoryKey {
  return { registry: request.registry, repository: request.target.repository };
}

/** A key of the in-process memories: registry and repository first. `subject` is a tag, a digest or a listing's name. */
export function memoryKey(request: PullRequest, subject: string): string {
  return `${request.registry} ${request.target.repository} ${subject}`;
}

/**
 * The same for what was read, or is being read, through the rule that leads there: after a reload nobody joins, or is answered
 * from, what another rule's upstream says.
 */
export function ruledKey(request: PullRequest, subject: string): string {
  const { rule } = request.target;
  return memoryKey(request, rule === undefined ? subject : `${ruleIdentity(rule)} ${subject}`);
}

/** Where a tag was read: URL and path, and as whom where the rule has a credential. */
export function sourceOf(url: UpstreamUrl, { rule, upstreamRepository }: PullTarget): string {
  return `${url.origin}/${upstreamRepository}${rule === undefined ? '' : asWhom(rule)}`;
}

/** True while what was fetched may be shown only to whom the rule's credential or certificate belongs (`anonymousPull`). */
export function isPrivate({ rule }: PullTarget): boolean {
  return rule !== undefined && asksAsSomebody(rule) && !rule.anonymousPull;
}
