import type { RegistryKey, RepositoryKey } from '../domain/names/registry.ts';
import type { PullRule, PullTarget, UpstreamUrl } from '../domain/rules/pull-rule.ts';
import { asksAsSomebody } from '../domain/rules/pull-rule.ts';
import { asWhom, ruleIdentity, ruleMemoryKey } from '../domain/rules/rule-identity.ts';

/** Whose content is asked for, and which rule leads to it. */
export interface PullRequest {
  readonly registry: RegistryKey;
  readonly target: PullTarget;
  /**
   * Set for a caller that may import nothing: upstream is not asked, and what is not here is unknown. The rule stays in the
   * target, so that its stops, its source and its proofs apply to this caller as to everybody.
   */
  readonly heldOnly?: boolean | undefined;
}

/** A request that a rule leads somewhere. */
export interface RuledRequest extends PullRequest {
  readonly target: PullTarget & { readonly rule: PullRule };
}

export function isRuled<R extends PullRequest>(request: R): request is R & RuledRequest {
  return request.target.rule !== undefined;
}

/** Whether upstream may be asked for this request: a rule leads there, and who asks may import. */
export function mayAsk<R extends PullRequest>(request: R): request is R & RuledRequest {
  return request.target.rule !== undefined && request.heldOnly !== true;
}

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
  return memoryKey(request, rule === undefined ? subject : `${ruleMemoryKey(rule)} ${subject}`);
}

/** Under which identity a repository's content is looked for; `undefined` where no rule leads to it. */
export function identityOf({ rule }: Pick<PullTarget, 'rule'>): string | undefined {
  return rule === undefined ? undefined : ruleIdentity(rule);
}

/** Where a tag was read: URL and path, and as whom where the rule has a credential. */
export function sourceOf(url: UpstreamUrl, { rule, upstreamRepository }: PullTarget): string {
  return `${url.origin}/${upstreamRepository}${rule === undefined ? '' : asWhom(rule)}`;
}

/** `source === sourceOf(url, target)`, without making that text. */
export function isSource(
  source: string,
  { origin }: UpstreamUrl,
  { rule, upstreamRepository }: PullTarget,
): boolean {
  const whom = rule === undefined ? '' : asWhom(rule);
  const path = origin.length + 1;
  return (
    source.length === path + upstreamRepository.length + whom.length &&
    source.startsWith(origin) &&
    source.startsWith('/', path - 1) &&
    source.startsWith(upstreamRepository, path) &&
    source.endsWith(whom)
  );
}

/** True while what was fetched may be shown only to whom the rule's credential or certificate belongs (`anonymousPull`). */
export function isPrivate({ rule }: PullTarget): boolean {
  return rule !== undefined && asksAsSomebody(rule) && !rule.anonymousPull;
}
