import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import { actions, scopeRightOf } from '../../domain/policy/access-action.ts';
import type { RegistryKey, RegistrySettings } from '../../domain/names/registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { IdentityMetadata, RepositoryMetadata } from '../../metadata/contract/metadata.ts';
import type { StoredRepository } from '../../metadata/contract/rows.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Question } from '../access.ts';
import type { PolicyRows } from './documents.ts';
import { createPolicyDocuments, noPolicies } from './documents.ts';
import { createMemory } from './memory.ts';

export interface PolicyMetadata {
  readonly repositories: Pick<RepositoryMetadata, 'findRepository'>;
  readonly identities: Pick<IdentityMetadata, 'listIdentityPolicies' | 'findRegistryPolicy'>;
}

export interface RepositoryFacts extends PolicyRows {
  readonly row: StoredRepository;
}

/** All that a decision needs to know. */
export interface Facts {
  /** `undefined`: there is no such repository, or none is asked about. */
  readonly repository: RepositoryFacts | undefined;
  readonly registryPolicy: PolicyRows;
  readonly identity: PolicyRows;
  readonly steady: boolean;
}

export interface FactSource {
  /** `row`: the repository's, where the asker has just read it; it is not kept then. */
  gather(question: Question, row?: StoredRepository): Facts | Promise<Facts>;
  /** What was allowed: a push makes a public repository one that was pushed, soon. */
  noteUse(question: Question, facts: Facts): void;
  forget(registry: RegistryKey, repository: RepositoryName): void;
  reset(): void;
}

const repositoriesMax = 20_000;
const repositoryBelieveMs = 2000;
const principalsMax = 10_000;
const registriesMax = 1000;
const policyBelieveMs = 10_000;
/** After an allowed push its repository is read each time until it is one that was pushed. */
const unsettledMs = 10_000;

/** Characters of policies that are kept parsed, and what an entry counts beside its own: parsed they are some twenty times as large. */
const repositoryCharactersMax = 4 * 1024 * 1024;
const policyCharactersMax = 2 * 1024 * 1024;
const entryCharacters = 64;

/** Apart from the others, so that names that were made up drive nothing out. */
const missingMax = 10_000;

/**
 * Rows of policies and repositories, kept parsed. A repository that is missing is believed to be as long as one that is hidden: the
 * time of an answer tells neither from the other.
 */
export function createFacts(
  metadata: PolicyMetadata,
  clock: Clock,
  regions: () => RegistrySettings['regions'],
): FactSource {
  const documents = createPolicyDocuments(regions);
  let last = 0;
  const factsOfRow = (repository: string, row: StoredRepository): RepositoryFacts => {
    const { policy } = row;
    const texts =
      policy === undefined ? [] : [{ name: `repository policy of ${repository}`, text: policy }];
    return { ...documents.read('repository', texts), number: (last += 1), row };
  };
  const sizeOf = (rows: PolicyRows | undefined): number =>
    (rows?.characters ?? 0) + entryCharacters;
  const unsettled = new LRUCache<string, number>(atMost(repositoriesMax));
  const missing = new LRUCache<string, number>(atMost(missingMax));
  const isMissing = (key: string): boolean => {
    const since = missing.get(key);
    return since !== undefined && clock.elapsed() - since < repositoryBelieveMs;
  };
  const repositories = createMemory<RepositoryFacts | undefined>({
    entriesMax: repositoriesMax,
    believeMs: repositoryBelieveMs,
    clock,
    sizeMax: repositoryCharactersMax,
    sizeOf,
    read: async (key) => {
      const [registry, repository] = key.split(' ') as [RegistryKey, RepositoryName];
      const row = await metadata.repositories.findRepository({ registry, repository });
      return row && factsOfRow(repository, row);
    },
    keeps: (key, facts) => {
      const settled = (unsettled.get(key) ?? 0) <= clock.elapsed();
      if (facts !== undefined) return facts.row.pushed || settled;
      if (settled) missing.set(key, clock.elapsed());
      return false;
    },
  });
  const repositoryOf = (key: string): ReturnType<typeof repositories.get> =>
    isMissing(key) ? undefined : repositories.get(key);
  const forget = (key: string): void => {
    missing.delete(key);
    repositories.forget(key);
  };
  const registries = createMemory<PolicyRows>({
    entriesMax: registriesMax,
    believeMs: policyBelieveMs,
    clock,
    sizeMax: policyCharactersMax,
    sizeOf,
    read: async (registry) => {
      const text = await metadata.identities.findRegistryPolicy(registry as RegistryKey);
      return documents.read(
        'registry',
        text === undefined ? [] : [{ name: 'registry policy', text }],
      );
    },
  });
  const identities = createMemory<PolicyRows>({
    entriesMax: principalsMax,
    believeMs: policyBelieveMs,
    clock,
    sizeMax: policyCharactersMax,
    sizeOf,
    read: async (key) => {
      const [account = '', name = ''] = key.split(' ');
      const stored = await metadata.identities.listIdentityPolicies(account, name);
      return documents.read(
        'identity',
        stored.map((each) => ({
          name: `identity policy ${each.name} of ${name}`,
          text: each.text,
        })),
      );
    },
  });

  return {
    gather(question, row) {
      const { caller, registry, repository } = question;
      const { principal } = caller;
      const one =
        repository === undefined
          ? undefined
          : row === undefined
            ? repositoryOf(keyOf(registry, repository))
            : factsOfRow(repository, row);
      const two = registries.get(registry);
      const three =
        principal.kind === 'user' || principal.kind === 'robot'
          ? identities.get(`${principal.account} ${principal.name}`)
          : noPolicies;
      if (one instanceof Promise || two instanceof Promise || three instanceof Promise)
        return Promise.all([one, two, three]).then((all) => factsOf(...all));
      return factsOf(one, two, three);
    },
    noteUse({ action, registry, repository }, facts) {
      if (repository === undefined || !pushes.has(action)) return;
      if (facts.repository?.row.pushed === true) return;
      const key = keyOf(registry, repository);
      unsettled.set(key, clock.elapsed() + unsettledMs);
      forget(key);
    },
    forget: (registry, repository) => forget(keyOf(registry, repository)),
    reset() {
      missing.clear();
      repositories.clear();
      registries.clear();
      identities.clear();
    },
  };
}

const pushes: ReadonlySet<string> = new Set(
  Object.values(actions).filter((action) => scopeRightOf(action) === 'push'),
);

/** Neither part holds a space. */
function keyOf(registry: RegistryKey, repository: RepositoryName): string {
  return `${registry} ${repository}`;
}

function factsOf(
  repository: RepositoryFacts | undefined,
  registryPolicy: PolicyRows,
  identity: PolicyRows,
): Facts {
  return {
    repository,
    registryPolicy,
    identity,
    steady: (repository?.steady ?? true) && registryPolicy.steady && identity.steady,
  };
}
