import type { Asker } from '../access/access.ts';
import type { Place } from '../access/admission/admission.ts';
import { RegistryError } from '../domain/errors.ts';
import type { RegistryKey, RegistrySettings } from '../domain/names/registry.ts';
import { homeRegionOf, homeRegistryOf, registryIn, registryOf } from '../domain/names/registry.ts';
import type { PrincipalKey } from '../domain/policy/principal.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import type { RulesOf } from '../domain/rules/rule-set.ts';
import { targetWithoutRule } from '../domain/rules/rule-set.ts';

export interface AccountInput {
  /** Absent: the asker's own. */
  readonly account?: string | undefined;
}

export interface OwnerInput extends AccountInput {
  /** Absent: the asker itself, or the root of another account. */
  readonly user?: string | undefined;
}

export interface RegistryInput extends AccountInput {
  /** Absent, or one that is no registry of its own: the home registry's. */
  readonly region?: string | undefined;
}

export interface RepositoryInput extends RegistryInput {
  readonly repository: string;
}

/** Which registry, repository or principal the words of a request mean. */
export interface Places {
  readonly home: RegistryKey;
  registry(input: RegistryInput, asker: Asker): RegistryKey;
  /** Whether its account is known. */
  isThere(registry: RegistryKey): Promise<boolean>;
  /** Throws `nameInvalid`. */
  place(input: RepositoryInput, asker: Asker): Place;
  /** The repository of that name, with the rule of that registry that leads to it. Throws `nameInvalid`. */
  at(registry: RegistryKey, repository: string): Place;
  /** Without a user: the asker itself, or the root of another account. */
  owner(input: OwnerInput, asker: Asker): PrincipalKey;
  /** The asker's own, where none is named. */
  accountOf(input: AccountInput, asker: Asker): string;
}

export interface PlacesParts {
  readonly metadata: Pick<Metadata, 'identities'>;
  readonly rules: RulesOf;
  readonly registries: () => RegistrySettings;
}

export function createPlaces({ rules, registries, metadata }: PlacesParts): Places {
  const home = (): RegistryKey => homeRegistryOf(registries());
  const accountOf: Places['accountOf'] = ({ account }, asker) => account ?? ownAccount(asker);
  const registry: Places['registry'] = ({ account, region }, asker) => {
    const settings = registries();
    return registryIn(settings, {
      account: accountOf({ account }, asker),
      region: region ?? homeRegionOf(settings.regions),
    });
  };
  const at: Places['at'] = (key, repository) => ({
    registry: key,
    target:
      rules(key).byPath(repository) ?? targetWithoutRule(repository) ?? nameInvalid(repository),
  });
  return {
    get home() {
      return home();
    },
    registry,
    isThere: async (key) =>
      (await metadata.identities.findAccount(registryOf(key).account)) !== undefined,
    at,
    place: (input, asker) => at(registry(input, asker), input.repository),
    accountOf,
    owner: ({ user, account }, asker) => {
      const { principal } = asker.caller;
      const own = ownAccount(asker);
      const self =
        principal.kind === 'user' || principal.kind === 'robot' ? principal.name : undefined;
      const isOwn = account === undefined || account === own;
      if (user === undefined && isOwn && principal.kind === 'role')
        throw new RegistryError('requestInvalid', 'a role has no keys or tokens: name a user', {
          detail: { field: 'user' },
        });
      return { account: account ?? own, name: user ?? (isOwn ? self : undefined) };
    },
  };
}

/** Of whoever is somebody: front-ends that name accounts let nobody else in. */
function ownAccount({ caller: { principal } }: Asker): string {
  if (principal.kind !== 'anonymous') return principal.account;
  throw new RegistryError('unauthorized', 'credentials are needed');
}

function nameInvalid(name: string): never {
  throw new RegistryError('nameInvalid', 'repository: not a repository name', {
    detail: { field: 'repository', value: name.slice(0, 255) },
  });
}
