import type { Asker, Audit } from '../../access/access.ts';
import type { Admission } from '../../access/admission/admission.ts';
import { changeOf } from '../../access/audit/audit-entry.ts';
import type { Listing } from '../../contract/admin-view.ts';
import { RegistryError } from '../../domain/errors.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { pullTimeExclusions } from '../../domain/registries/pull-time-exclusions.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import { pageOfAll } from '../page.ts';
import type { PageInput } from '../page.ts';
import type { Places, RegistryInput } from '../places.ts';

interface ExclusionInput extends RegistryInput {
  /** ARN of a user or role. */
  readonly principal: string;
}

/** Principals whose pulls leave the pull times of images as they are. Each throws `RegistryError`. */
export interface PullTimeExclusions {
  /** Answers when it was made, wall ms; `conflict` where it is there, or there are too many. */
  add(asker: Asker, input: ExclusionInput): Promise<number>;
  /** `nameUnknown` where it is not there. */
  remove(asker: Asker, input: ExclusionInput): Promise<void>;
  list(asker: Asker, input: RegistryInput & PageInput): Promise<Listing<string>>;
}

export interface PullTimeExclusionsParts {
  readonly admission: Pick<Admission, 'requireInRegistry'>;
  readonly places: Places;
  readonly metadata: Pick<Metadata, 'repositories'>;
  readonly audit: Audit;
  readonly clock: Clock;
}

const name = pullTimeExclusions;
const exclusionsMax = 100;

export function createPullTimeExclusions(parts: PullTimeExclusionsParts): PullTimeExclusions {
  const { admission, places, metadata, audit, clock } = parts;
  const { repositories } = metadata;
  return {
    add: async (asker, { principal: member, ...input }) => {
      const registry = places.registry(input, asker);
      const action = actions.registerPullTimeUpdateExclusion;
      await admission.requireInRegistry(asker, action, registry);
      const now = clock.now();
      const key = { registry, name, member, now };
      const done = await repositories.addToRegistrySetting({ ...key, membersMax: exclusionsMax });
      if (done === 'exists')
        throw new RegistryError('conflict', `${member} is excluded already`, {
          kind: 'exclusionExists',
        });
      if (done === 'tooMany')
        throw new RegistryError('conflict', `there are ${exclusionsMax} exclusions at most`, {
          kind: 'limitExceeded',
        });
      audit.record(changeOf(asker, action, { registry, resource: '' }, { principal: member }));
      return now;
    },
    remove: async (asker, { principal: member, ...input }) => {
      const registry = places.registry(input, asker);
      const action = actions.deregisterPullTimeUpdateExclusion;
      await admission.requireInRegistry(asker, action, registry);
      const key = { registry, name, member, now: clock.now() };
      if (!(await repositories.removeFromRegistrySetting(key)))
        throw new RegistryError('nameUnknown', `${member} is not excluded`, {
          kind: 'exclusionUnknown',
        });
      audit.record(changeOf(asker, action, { registry, resource: '' }, { principal: member }));
    },
    list: async (asker, input) => {
      const registry = places.registry(input, asker);
      await admission.requireInRegistry(asker, actions.listPullTimeUpdateExclusions, registry);
      const members = await repositories.listRegistrySetting(registry, name);
      const textOf = ({ member }: (typeof members)[number]): string => member;
      return pageOfAll(members, input, { view: textOf, keyOf: textOf });
    },
  };
}
