import { ReadMemory } from '../../coordination/read-memory.ts';
import type { MemoryBound } from '../../coordination/memory-bound.ts';
import { TimedMemory } from '../../coordination/timed-memory.ts';
import { actions, scopeRightOf } from '../../domain/policy/access-action.ts';
import type { RegistryKey, RegistrySettings } from '../../domain/names/registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import { awsManagedPolicies } from '../../domain/policy/aws-managed-policies.ts';
import type { ManagedPolicyMetadata } from '../../metadata/contract/managed-policies.ts';
import type { IdentityMetadata, RepositoryMetadata } from '../../metadata/contract/metadata.ts';
import type { StoredRepository } from '../../metadata/contract/rows.ts';
import type { Clock } from '../../ports/clock.ts';
import { roleKey } from '../../domain/policy/principal.ts';
import type { Principal } from '../../domain/policy/principal.ts';
import type { NamedPolicy } from '../../domain/policy/policy.ts';
import type { Caller, Question } from '../access.ts';
import type { PolicyDocuments, PolicyRows } from './documents.ts';
import { createPolicyDocuments, noPolicies } from './documents.ts';

export interface PolicyMetadata {
  readonly repositories: Pick<RepositoryMetadata, 'findRepository'>;
  readonly identities: Pick<IdentityMetadata, 'listIdentityPolicies' | 'findRegistryPolicy'>;
  readonly managedPolicies: Pick<ManagedPolicyMetadata, 'listAttachedPolicies'>;
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
  /** Of a session that has a policy of its own. */
  readonly session?: PolicyRows | undefined;
  /** Of the role that is to be assumed. */
  readonly trust?: NamedPolicy | undefined;
  readonly steady: boolean;
}

export interface FactSource {
  /** `row`: the repository's, where the asker has just read it; it is not kept then. */
  gather(question: Question, row?: StoredRepository): Facts | Promise<Facts>;
  /** Call after each allow. After an allowed push the repository is read again until it shows as pushed, since that ends anonymous access. */
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

/** What an entry counts beside its policies. Parsed, a policy takes about 20 bytes a character. */
const entryBytes = 1280;
const bytesPerCharacter = 20;
const repositoryBytesMax = 80 * 1024 * 1024;
const policyBytesMax = 40 * 1024 * 1024;

/** Apart from the others, so that made-up names cannot evict real ones. */
const missingMax = 10_000;

/** Rows of policies and repositories, kept parsed. */
export function createFacts(
  metadata: PolicyMetadata,
  clock: Clock,
  regions: () => RegistrySettings['regions'],
): FactSource {
  const documents = createPolicyDocuments(regions);
  const repositories = new RepositoryMemory(metadata, clock, documents);
  const registries = new ReadMemory<PolicyRows>(clock, {
    bound: boundOf(registriesMax, policyBytesMax),
    believeMs: policyBelieveMs,
    read: (registry) => readRegistryPolicy(metadata, documents, registry as RegistryKey),
  });
  const identities = new ReadMemory<PolicyRows>(clock, {
    bound: boundOf(principalsMax, policyBytesMax),
    believeMs: policyBelieveMs,
    read: (key) => readIdentityPolicies(metadata, documents, key),
  });

  const sessions = createSessionPolicies(documents);
  return {
    gather(question, row) {
      const { caller, registry, repository } = question;
      const { principal } = caller;
      const one =
        repository === undefined
          ? undefined
          : row === undefined
            ? repositories.get(keyOf(registry, repository))
            : repositories.factsOf(repository, row);
      const two = registries.get(registry);
      const three =
        principal.kind === 'anonymous' || principal.kind === 'administrator'
          ? noPolicies
          : identities.get(`${principal.account} ${policiesOf(principal)}`);
      const session = caller.session?.policy === undefined ? undefined : sessions.of(caller);
      if (one instanceof Promise || two instanceof Promise || three instanceof Promise)
        return Promise.all([one, two, three]).then((all) => factsOf(...all, session));
      return factsOf(one, two, three, session);
    },
    noteUse({ action, registry, repository }, facts) {
      if (repository === undefined || !pushes.has(action)) return;
      if (facts.repository?.row.pushed === true) return;
      repositories.unsettle(keyOf(registry, repository));
    },
    forget: (registry, repository) => repositories.forget(keyOf(registry, repository)),
    reset() {
      repositories.clear();
      registries.clear();
      identities.clear();
      sessions.clear();
    },
  };
}

/**
 * Repositories as they were read a moment ago. One that is missing is believed to be as long as one that is hidden: the time of an
 * answer tells neither from the other.
 */
class RepositoryMemory {
  readonly #documents: PolicyDocuments;
  readonly #known: ReadMemory<RepositoryFacts | undefined>;
  readonly #missing: TimedMemory<true>;
  readonly #unsettled: TimedMemory<true>;
  #last = 0;

  constructor(metadata: PolicyMetadata, clock: Clock, documents: PolicyDocuments) {
    this.#documents = documents;
    this.#missing = new TimedMemory(clock, { entriesMax: missingMax });
    this.#unsettled = new TimedMemory(clock, { entriesMax: repositoriesMax });
    this.#known = new ReadMemory(clock, {
      bound: boundOf(repositoriesMax, repositoryBytesMax),
      believeMs: repositoryBelieveMs,
      read: async (key, flight) => {
        const [registry, repository] = key.split(' ') as [RegistryKey, RepositoryName];
        const row = await metadata.repositories.findRepository({ registry, repository });
        if (row !== undefined) return this.factsOf(repository, row);
        if (this.#isSettled(key) && !flight.forgotten)
          this.#missing.set(key, true, repositoryBelieveMs);
        return undefined;
      },
      keeps: (key, { row }) => row.pushed || this.#isSettled(key),
    });
  }

  get(key: string): RepositoryFacts | undefined | Promise<RepositoryFacts | undefined> {
    return this.#missing.get(key) === true ? undefined : this.#known.get(key);
  }

  factsOf(repository: RepositoryName, row: StoredRepository): RepositoryFacts {
    const { policy } = row;
    const texts =
      policy === undefined ? [] : [{ name: `repository policy of ${repository}`, text: policy }];
    this.#last += 1;
    return { ...this.#documents.read('repository', texts), number: this.#last, row };
  }

  /** It is read each time for a while, until it is one that was pushed. */
  unsettle(key: string): void {
    this.#unsettled.set(key, true, unsettledMs);
    this.forget(key);
  }

  forget(key: string): void {
    this.#missing.forget(key);
    this.#known.forget(key);
  }

  clear(): void {
    this.#missing.clear();
    this.#known.clear();
  }

  #isSettled(key: string): boolean {
    return this.#unsettled.get(key) === undefined;
  }
}

async function readRegistryPolicy(
  metadata: PolicyMetadata,
  documents: PolicyDocuments,
  registry: RegistryKey,
): Promise<PolicyRows> {
  const text = await metadata.identities.findRegistryPolicy(registry);
  return documents.read('registry', text === undefined ? [] : [{ name: 'registry policy', text }]);
}

async function readIdentityPolicies(
  metadata: PolicyMetadata,
  documents: PolicyDocuments,
  key: string,
): Promise<PolicyRows> {
  const [account = '', name = ''] = key.split(' ');
  const [stored, attached] = await Promise.all([
    metadata.identities.listIdentityPolicies(account, name),
    metadata.managedPolicies.listAttachedPolicies(account, name),
  ]);
  const texts = stored.map((each) => ({
    name: `identity policy ${each.name} of ${name}`,
    text: each.text,
  }));
  const managed = attached.map(({ policy, own }) => ({
    name: `policy ${policy} attached to ${name}`,
    // One of AWS's that this version does not know can't be read, and denies.
    text: own?.text ?? awsManagedPolicies.get(policy)?.text ?? '',
  }));
  return documents.read('identity', [...texts, ...managed]);
}

/** What a principal's policies are kept under. */
function policiesOf(
  principal: Exclude<Principal, { readonly kind: 'anonymous' | 'administrator' }>,
): string {
  return principal.kind === 'role' ? roleKey(principal).name : principal.name;
}

/** The policies of sessions, parsed once for each caller. */
function createSessionPolicies(documents: PolicyDocuments): {
  of(caller: Caller): PolicyRows;
  clear(): void;
} {
  let known = new WeakMap<Caller, PolicyRows>();
  return {
    of: (caller) => {
      let rows = known.get(caller);
      if (rows === undefined) {
        const text = caller.session?.policy ?? '';
        rows = documents.read('identity', [{ name: 'policy of the session', text }]);
        known.set(caller, rows);
      }
      return rows;
    },
    clear: () => {
      known = new WeakMap();
    },
  };
}

function boundOf(entriesMax: number, bytesMax: number): MemoryBound<PolicyRows> {
  const bytesOf = ({ characters }: PolicyRows): number =>
    entryBytes + characters * bytesPerCharacter;
  return { entriesMax, bytesMax, bytesOf };
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
  session: PolicyRows | undefined,
): Facts {
  return {
    repository,
    registryPolicy,
    identity,
    session,
    steady:
      (repository?.steady ?? true) &&
      registryPolicy.steady &&
      identity.steady &&
      (session?.steady ?? true),
  };
}
