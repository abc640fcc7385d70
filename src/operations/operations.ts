import type { Audit, Authorizer } from '../access/access.ts';
import { createAdmission } from '../access/admission/admission.ts';
import type { Admission } from '../access/admission/admission.ts';
import type { Cache } from '../cache/cache.ts';
import type { MadeRepositories } from '../cache/memory/made-repositories.ts';
import type { Pushes } from '../cache/push/pushes.ts';
import { homeRegistryOf } from '../domain/names/registry.ts';
import type { RegistrySettings } from '../domain/names/registry.ts';
import type { RuleSet } from '../domain/rules/rule-set.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import type { Clock } from '../ports/clock.ts';
import { createContentChanges } from './content-changes.ts';
import type { ContentChanges } from './content-changes.ts';
import { createPlaces } from './places.ts';
import type { Places } from './places.ts';
import { createPulls } from './pulls.ts';
import type { Pulls } from './pulls.ts';

export interface OperationsParts {
  /** The rules in force. */
  readonly rules: () => RuleSet;
  /** The home account and the regions, as configured now. */
  readonly registries: () => RegistrySettings;
  readonly metadata: Pick<Metadata, 'identities' | 'repositories'>;
  readonly cache: Cache;
  readonly pushes: Pushes;
  readonly made: Pick<MadeRepositories, 'take'>;
  readonly authorizer: Authorizer;
  readonly audit: Audit;
  readonly clock: Clock;
}

/** All that front-ends ask for, each with the right to it: of one server, shared by its front-ends. */
export interface Operations {
  readonly admission: Admission;
  readonly places: Places;
  readonly pulls: Pulls;
  readonly contentChanges: ContentChanges;
}

export function createOperations(parts: OperationsParts): Operations {
  const admission = createAdmission({ ...parts, home: () => homeRegistryOf(parts.registries()) });
  const places = createPlaces(parts);
  const shared = { ...parts, admission, places };
  return {
    admission,
    places,
    pulls: createPulls(shared),
    contentChanges: createContentChanges(shared),
  };
}
