import type { PullRule } from '../domain/pull-rule.ts';
import type { StoredRepository } from '../metadata/metadata.ts';
import type { Who } from './basic.ts';

/**
 * Whether `who` may read a repository. What a credential fetched is the administrator's alone, unless the rule says
 * `anonymousPull: true` beside its credential; a repository stays private when its rule loses the credential, or is gone.
 */
export function mayPull(question: {
  readonly rule: PullRule | undefined;
  readonly repository: StoredRepository | undefined;
  readonly who: Who;
}): boolean {
  const { rule, repository, who } = question;
  if (who === 'administrator') return true;
  const shared = rule?.credential !== undefined && rule.anonymousPull;
  if (rule?.credential !== undefined && !shared) return false;
  return shared || repository?.private !== true;
}
