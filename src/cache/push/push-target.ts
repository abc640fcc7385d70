import { RegistryError } from '../../domain/errors.ts';
import { rootPrefix } from '../../domain/rules/rule-set.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { PullRequest } from '../pull-request.ts';
import { repositoryKey } from '../pull-request.ts';

/** Settings of a push, as they are now. */
export interface PushSettings {
  readonly createOnPush: boolean;
  /** Whether an index may name manifests that are not here. */
  readonly sparseIndexes: boolean;
}

/** Whether a repository takes pushes (ARCHITECTURE.md, "Registries, accounts and rights"). Each throws `denied` or `nameUnknown`. */
export interface PushTarget {
  /** By the rule alone. */
  requireRule(request: PullRequest): void;
  /** By the rule, and by the repository where none may be made. */
  require(request: PullRequest): Promise<void>;
}

export function createPushTarget(metadata: Metadata, settings: () => PushSettings): PushTarget {
  const requireRule: PushTarget['requireRule'] = ({ target: { rule, repository } }) => {
    if (rule === undefined || rule.push || rule.prefix === rootPrefix) return;
    throw new RegistryError(
      'denied',
      `the rule ${rule.prefix} does not take pushes: set push: true on it, or push to another name`,
      { detail: { rule: rule.prefix, setting: 'push', value: false, name: repository } },
    );
  };
  return {
    requireRule,
    require: async (request) => {
      requireRule(request);
      if (settings().createOnPush) return;
      if ((await metadata.repositories.findRepository(repositoryKey(request))) === undefined)
        throw noRepository(request);
    },
  };
}

/** A push to a repository that is not there, while none is made by pushing. */
export function noRepository(request: PullRequest): RegistryError {
  return new RegistryError(
    'nameUnknown',
    'repository unknown, and createOnPush is false: create it first',
    { detail: { name: request.target.repository, setting: 'createOnPush', value: false } },
  );
}
