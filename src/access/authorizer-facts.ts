import { LRUCache } from 'lru-cache';
import { actions, scopeRightOf } from '../domain/access-action.ts';
import type { NamedPolicy, PolicyDocument, PolicyKind } from '../domain/policy.ts';
import { parsePolicy } from '../domain/policy-parser.ts';
import type { RegistryKey } from '../domain/registry.ts';
import type { RepositoryName } from '../domain/repository-name.ts';
import type { Metadata, StoredRepository } from '../metadata/metadata.ts';
import type { Clock } from '../ports/clock.ts';
import type { Question } from './access.ts';
import { isSteady } from './authorizer-context.ts';
import { createMemory } from './authorizer-memory.ts';

export type PolicyMetadata = Pick<
  Metadata,
  'findRepository' | 'listIdentityPolicies' | 'findRegistryPolicy'
>;

/** What was read of one place, parsed. The same object as long as it is believed. */
export interface PolicyRows {
  readonly policies: readonly NamedPolicy[];
  /** No condition looks at what changes from one request of a caller to the next. */
  readonly steady: boolean;
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
  gather(question: Question): Facts | Promise<Facts>;
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

const none: PolicyRows = { policies: [], steady: true };

/** Rows of policies and repositories, kept parsed. A repository that is missing is looked for each time. */
export function createFacts(metadata: PolicyMetadata, clock: Clock): FactSource {
  const unsettled = new LRUCache<string, number>({ max: repositoriesMax });
  const repositories = createMemory<RepositoryFacts | undefined>({
    entriesMax: repositoriesMax,
    believeMs: repositoryBelieveMs,
    clock,
    read: (key) => readRepository(metadata, key),
    keeps: (key, facts) =>
      facts !== undefined && (facts.row.pushed || (unsettled.get(key) ?? 0) <= clock.elapsed()),
  });
  const registries = createMemory<PolicyRows>({
    entriesMax: registriesMax,
    believeMs: policyBelieveMs,
    clock,
    read: async (registry) => {
      const text = await metadata.findRegistryPolicy(registry as RegistryKey);
      return text === undefined ? none : rowsOf([named('registry policy', text, 'registry')]);
    },
  });
  const identities = createMemory<PolicyRows>({
    entriesMax: principalsMax,
    believeMs: policyBelieveMs,
    clock,
    read: async (key) => {
      const [account = '', name = ''] = key.split(' ');
      const stored = await metadata.listIdentityPolicies(account, name);
      return stored.length === 0
        ? none
        : rowsOf(
            stored.map((each) =>
              named(`identity policy ${each.name} of ${name}`, each.text, 'identity'),
            ),
          );
    },
  });

  return {
    gather({ caller, registry, repository }) {
      const { principal } = caller;
      const one =
        repository === undefined ? undefined : repositories.get(keyOf(registry, repository));
      const two = registries.get(registry);
      const three =
        principal.kind === 'user' || principal.kind === 'robot'
          ? identities.get(`${principal.account} ${principal.name}`)
          : none;
      if (one instanceof Promise || two instanceof Promise || three instanceof Promise)
        return Promise.all([one, two, three]).then((all) => factsOf(...all));
      return factsOf(one, two, three);
    },
    noteUse({ action, registry, repository }, facts) {
      if (repository === undefined || !pushes.has(action)) return;
      if (facts.repository?.row.pushed === true) return;
      const key = keyOf(registry, repository);
      unsettled.set(key, clock.elapsed() + unsettledMs);
      repositories.forget(key);
    },
    forget: (registry, repository) => repositories.forget(keyOf(registry, repository)),
    reset() {
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

async function readRepository(
  metadata: PolicyMetadata,
  key: string,
): Promise<RepositoryFacts | undefined> {
  const [registry, repository] = key.split(' ') as [RegistryKey, RepositoryName];
  const row = await metadata.findRepository({ registry, repository });
  if (row === undefined) return undefined;
  const { policy } = row;
  const read =
    policy === undefined
      ? none
      : rowsOf([named(`repository policy of ${repository}`, policy, 'repository')]);
  return { ...read, row };
}

function rowsOf(policies: readonly NamedPolicy[]): PolicyRows {
  return { policies, steady: policies.every(({ document }) => isSteady(document)) };
}

/** A stored policy that can't be read any more denies everything: its denials are not known. */
function named(name: string, text: string, kind: PolicyKind): NamedPolicy {
  try {
    return { name, document: parsePolicy(text, kind) };
  } catch {
    return { name: `${name} (unreadable)`, document: denyAll(kind) };
  }
}

function denyAll(kind: PolicyKind): PolicyDocument {
  return {
    kind,
    id: undefined,
    statements: [
      {
        sid: undefined,
        effect: 'Deny',
        principals:
          kind === 'identity'
            ? undefined
            : { everyone: true, accounts: [], arns: [], services: [] },
        notPrincipals: undefined,
        actions: ['*'],
        notActions: undefined,
        resources: ['*'],
        notResources: undefined,
        conditions: [],
      },
    ],
  };
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
