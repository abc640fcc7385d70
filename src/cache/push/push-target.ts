import { RegistryError } from '../../domain/errors.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { rootPrefix } from '../../domain/rules/rule-set.ts';
import type { PullRequest } from '../pull-request.ts';
import { repositoryKey } from '../pull-request.ts';
import type { PushParts } from './push-parts.ts';

/** By the rule alone (ARCHITECTURE.md, "Registries, accounts and rights"). Throws `denied`. */
export function requirePushRule({ target: { rule, repository } }: PullRequest): void {
  if (rule === undefined || rule.push || rule.prefix === rootPrefix) return;
  throw new RegistryError(
    'denied',
    `the rule ${rule.prefix} does not take pushes: set push: true on it, or push to another name`,
    { detail: { rule: rule.prefix, setting: 'push', value: false, name: repository } },
  );
}

/** By the rule, and by the repository where none may be made. Throws `denied` or `nameUnknown`. */
export async function requirePush(
  { metadata, settings }: Pick<PushParts, 'metadata' | 'settings'>,
  request: PullRequest,
): Promise<void> {
  requirePushRule(request);
  if (settings().createOnPush) return;
  const key = repositoryKey(request);
  if ((await metadata.repositories.findRepository(key)) !== undefined) return;
  if ((await metadata.templates.findTemplateFor(key, 'CREATE_ON_PUSH')) === undefined)
    throw noRepository(request);
}

/**
 * Makes a blob the repository's as pushed. The first one makes the repository our own, which what is remembered of it must
 * learn before the push is acknowledged; a further one changes nothing that is remembered.
 */
export async function holdBlob(
  { metadata, repositories, settings, clock }: PushParts,
  request: PullRequest,
  digest: Digest,
): Promise<void> {
  const create = settings().createOnPush;
  const blob = { ...repositoryKey(request), digest, create, now: clock.now() };
  const held = await repositories.change(
    request,
    () => metadata.blobs.holdBlob(blob),
    (result) => result === 'made' || result === 'first',
  );
  if (held === 'noRepository') throw noRepository(request);
}

/** A push to a repository that is not there, while none is made by pushing. */
export function noRepository(request: PullRequest): RegistryError {
  return new RegistryError(
    'nameUnknown',
    'repository unknown, and createOnPush is false: create it first, or a template for it with CREATE_ON_PUSH',
    {
      kind: 'repositoryUnknown',
      detail: { name: request.target.repository, setting: 'createOnPush', value: false },
    },
  );
}
