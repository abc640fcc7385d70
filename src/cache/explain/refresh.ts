import type { Refreshment } from '../../contract/admin-view.ts';
import { RegistryError } from '../../domain/errors.ts';
import { isAllowed } from '../../domain/rules/name-pattern.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { RulesOf } from '../../domain/rules/rule-set.ts';
import { answerOf, UpstreamFailure } from '../../domain/upstream-failure.ts';
import { locateImage } from './image-target.ts';
import type { ReferrersLister } from '../pull/list-referrers.ts';
import type { TagResolver } from '../pull/resolve-tag.ts';

const refreshMs = 60_000;

export interface RefreshParts {
  readonly registry: RegistryKey;
  readonly rules: RulesOf;
  readonly tags: Pick<TagResolver, 'refresh'>;
  /** An image may have been signed since. */
  readonly referrers: Pick<ReferrersLister, 'refresh'>;
  readonly ownHosts: () => ReadonlySet<string>;
}

/** Throws `RegistryError`: `requestInvalid`, `nameUnknown`, `denied`, or what upstream failed with. */
export type Refresh = (image: string, signal: AbortSignal) => Promise<Refreshment>;

/** Revalidates a tag now, as a pull of a stale one would, without the stale answer; then asks for what refers to its manifest. */
export function createRefresher(parts: RefreshParts): Refresh {
  return async (image, signal) => {
    const { target, reference } = locateImage(image, parts.rules(parts.registry), parts.ownHosts());
    if (reference.kind === 'digest')
      throw new RegistryError('requestInvalid', 'a digest never changes; refresh takes a tag', {
        detail: { field: 'image', value: image },
      });
    const rule = target.rule;
    if (rule === undefined)
      throw new RegistryError('nameUnknown', 'no rule leads to this name', {
        detail: { name: target.repository, hint: 'breakwater rules ls shows the rules' },
      });
    if (!isAllowed(rule, target.upstreamRepository, reference))
      throw new RegistryError('denied', "the rule's allow and deny patterns refuse this image", {
        detail: { rule: rule.prefix },
      });
    const deadline = AbortSignal.timeout(refreshMs);
    try {
      const request = { registry: parts.registry, target: { ...target, rule } };
      const within = AbortSignal.any([signal, deadline]);
      const { before, after, changed } = await parts.tags.refresh(request, reference.tag, within);
      await parts.referrers.refresh(request, after, within);
      const { repository } = target;
      return { image, repository, tag: reference.tag, before: before ?? null, after, changed };
    } catch (error) {
      if (error instanceof UpstreamFailure) throw answerOf(error, 'manifest');
      if (!deadline.aborted || error !== deadline.reason) throw error;
      throw new RegistryError('upstreamTimeout', 'upstream did not answer in time');
    }
  };
}
