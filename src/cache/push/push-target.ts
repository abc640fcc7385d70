import { RegistryError } from '../../domain/errors.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { rootPrefix } from '../../domain/rules/rule-set.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import type { RepositoryMemory } from '../memory/repository-memory.ts';
import type { PullRequest } from '../pull-request.ts';
import { repositoryKey } from '../pull-request.ts';

/** Settings of a push, as they are now. */
export interface PushSettings {
  readonly createOnPush: boolean;
  /** Whether an index may name manifests that are not here. */
  readonly sparseIndexes: boolean;
}

export interface PushTargetParts {
  readonly metadata: Pick<Metadata, 'repositories' | 'blobs'>;
  readonly repositories: RepositoryMemory;
  readonly settings: () => PushSettings;
  readonly clock: Clock;
}

/** Whether a repository takes pushes (ARCHITECTURE.md, "Registries, accounts and rights"). Each throws `denied` or `nameUnknown`. */
export class PushTarget {
  readonly #parts: PushTargetParts;

  constructor(parts: PushTargetParts) {
    this.#parts = parts;
  }

  /** By the rule alone. */
  requireRule({ target: { rule, repository } }: PullRequest): void {
    if (rule === undefined || rule.push || rule.prefix === rootPrefix) return;
    throw new RegistryError(
      'denied',
      `the rule ${rule.prefix} does not take pushes: set push: true on it, or push to another name`,
      { detail: { rule: rule.prefix, setting: 'push', value: false, name: repository } },
    );
  }

  /** By the rule, and by the repository where none may be made. */
  async require(request: PullRequest): Promise<void> {
    const { metadata, settings } = this.#parts;
    this.requireRule(request);
    if (settings().createOnPush) return;
    if ((await metadata.repositories.findRepository(repositoryKey(request))) === undefined)
      throw noRepository(request);
  }

  /**
   * Makes a blob the repository's as pushed. The first one makes the repository our own, which what is remembered of it must
   * learn before the push is acknowledged; a further one changes nothing that is remembered.
   */
  async hold(request: PullRequest, digest: Digest): Promise<void> {
    const { metadata, repositories, settings, clock } = this.#parts;
    const create = settings().createOnPush;
    const blob = { ...repositoryKey(request), digest, create, now: clock.now() };
    const held = await repositories.change(
      request,
      () => metadata.blobs.holdBlob(blob),
      (result) => result === 'made' || result === 'first',
    );
    if (held === 'noRepository') throw noRepository(request);
  }
}

/** A push to a repository that is not there, while none is made by pushing. */
export function noRepository(request: PullRequest): RegistryError {
  return new RegistryError(
    'nameUnknown',
    'repository unknown, and createOnPush is false: create it first',
    { detail: { name: request.target.repository, setting: 'createOnPush', value: false } },
  );
}
