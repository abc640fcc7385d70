import type { Audit, Authorizer, Caller, Question } from '../../access/access.ts';
import { denialOf } from '../../access/audit/audit-entry.ts';
import type { Action } from '../../domain/policy/access-action.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { RegistryError, repositoryUnknown } from '../../domain/errors.ts';
import type { IdentityAction } from '../../domain/policy/identity-action.ts';
import { isAllowed } from '../../domain/rules/name-pattern.ts';
import { describePrincipal } from '../../domain/policy/principal.ts';
import type { PullTarget } from '../../domain/rules/pull-rule.ts';
import type { Reference } from '../../domain/names/reference.ts';
import type { RegistryKey, RegistrySettings } from '../../domain/names/registry.ts';
import {
  homeRegionOf,
  homeRegistryOf,
  registryKey,
  registryOf,
} from '../../domain/names/registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { RuleSet } from '../../domain/rules/rule-set.ts';
import { canonicalName } from '../../domain/rules/rule-set.ts';
import type { StoredRepository } from '../../metadata/contract/rows.ts';
import type { Asker } from './endpoint.ts';

/** One repository as an endpoint was asked for it. */
export interface Place {
  readonly registry: RegistryKey;
  readonly target: PullTarget;
}

export interface Owner {
  readonly account: string;
  /** Absent: the account's root. */
  readonly name: string | undefined;
}

/** Which registry, repository or principal is meant, and whether the asker may. */
export interface Admission {
  readonly home: RegistryKey;
  /** A region that is no registry of its own is home. */
  registry(
    asked: { account?: string | undefined; region?: string | undefined },
    asker: Asker,
  ): RegistryKey;
  /** Throws `nameInvalid`. */
  place(
    asked: { repository: string; account?: string | undefined; region?: string | undefined },
    asker: Asker,
  ): Place;
  /** The rule that leads to a repository by its name. */
  ruleOf(registry: RegistryKey, repository: RepositoryName): PullTarget['rule'];
  /** Throws `denied`; `nameUnknown`, as for one that is not there, where the repository may not be seen either. */
  require(asker: Asker, action: Action, place: Place): Promise<void>;
  /** For what concerns the registry as a whole, or makes something in it. Throws `denied`. */
  requireInRegistry(
    asker: Asker,
    action: Action,
    registry: RegistryKey,
    target?: PullTarget,
  ): Promise<void>;
  /** The operator, who cleans up: shown what no pull is given, too. */
  isOperator(asker: Asker): boolean;
  /** Whether the rule's patterns let the asker know of it, as they would a pull; the operator knows of all. */
  admits(asker: Asker, place: Place, reference?: Reference): boolean;
  /** `row`: where it has just been read. */
  maySee(
    asker: Asker,
    registry: RegistryKey,
    repository: RepositoryName,
    row?: StoredRepository,
  ): Promise<boolean>;
  /** The account's own; the operator's is any. Never by a registry password or token. Throws `denied`. */
  requireIdentity(asker: Asker, action: IdentityAction, owner: Owner): Promise<void>;
  /** Without a user: the asker itself, or the root of another account. */
  owner(asked: { user?: string | undefined; account?: string | undefined }, asker: Asker): Owner;
}

export interface AdmissionOptions {
  readonly authorizer: Pick<Authorizer, 'may' | 'explain'>;
  readonly rules: () => RuleSet;
  readonly registries: () => RegistrySettings;
  readonly audit: Audit;
}

/**
 * An ECR password or a token of `/v2/token`: made for registry clients, which keep them in files and pass them on. Nothing that
 * outlives them is made with them.
 */
export function isForRegistryClients({ via }: Caller): boolean {
  return via === 'ecr' || via === 'bearer';
}

/** The home account's administrator, by a key or a token without limits: whose the server is. */
export function isOperator(caller: Caller, home: RegistryKey): boolean {
  const { principal, scopes } = caller;
  return (
    principal.kind === 'administrator' &&
    principal.account === registryOf(home).account &&
    scopes === undefined &&
    !isForRegistryClients(caller)
  );
}

export function createAdmission(options: AdmissionOptions): Admission {
  const { authorizer, rules, registries, audit } = options;
  const home = (): RegistryKey => homeRegistryOf(registries());

  const registry: Admission['registry'] = ({ account, region }, { principal }) => {
    const { regions } = registries();
    const own = region !== undefined && (regions === 'any' || regions.includes(region));
    return registryKey({
      account: account ?? principal.account,
      region: own ? region : homeRegionOf(regions),
    });
  };
  const ask = ({ caller, from }: Asker, more: Omit<Question, 'caller' | 'from'>): Question => ({
    ...more,
    caller,
    from,
  });
  const ruleOf: Admission['ruleOf'] = (key, repository) =>
    key === home() ? rules().byPath(repository)?.rule : undefined;
  const maySee: Admission['maySee'] = async (asker, key, repository, row) => {
    const one = { registry: key, repository, rule: ruleOf(key, repository) };
    for (const action of [actions.listRepositories, actions.getManifest])
      if ((await authorizer.explain(ask(asker, { ...one, action }), row)).allowed) return true;
    return false;
  };
  return {
    get home() {
      return home();
    },
    registry,
    ruleOf,
    maySee,
    isOperator: ({ caller }) => isOperator(caller, home()),
    admits: ({ caller }, { target: { rule, upstreamRepository } }, reference) =>
      rule === undefined ||
      isOperator(caller, home()) ||
      isAllowed(rule, upstreamRepository, reference),
    place(asked, asker) {
      const key = registry(asked, asker);
      const target =
        (key === home() ? rules().byPath(asked.repository) : undefined) ??
        ownTarget(asked.repository);
      return { registry: key, target };
    },
    async require(asker, action, { registry: key, target }) {
      const { repository, rule } = target;
      const verdict = await authorizer.may(ask(asker, { action, registry: key, repository, rule }));
      if (verdict.allowed) return;
      const { because } = verdict;
      if (await maySee(asker, key, repository)) throw refused(action, because);
      throw repositoryUnknown(repository, because);
    },
    async requireInRegistry(asker, action, key, target) {
      const repository = target?.repository;
      const question = ask(asker, { action, registry: key, repository, rule: undefined });
      const verdict = await authorizer.may(question);
      if (!verdict.allowed) throw refused(action, verdict.because);
    },
    async requireIdentity(asker, action, { account, name }) {
      if (isForRegistryClients(asker.caller)) {
        const where = { registry: home(), resource: arnOfOwner({ account, name }) };
        throw refuseRegistryClient(audit, asker, action, where);
      }
      if (isOperator(asker.caller, home())) return;
      const { region } = registryOf(home());
      const verdict = await authorizer.may(
        ask(asker, {
          action,
          registry: registryKey({ account, region }),
          repository: undefined,
          rule: undefined,
          resource: arnOfOwner({ account, name }),
        }),
      );
      if (!verdict.allowed) throw refused(action, verdict.because);
    },
    owner: ownerOf,
  };
}

/** Told to the audit; the error to throw. */
export function refuseRegistryClient(
  audit: Audit,
  asker: Asker,
  action: string,
  where: { readonly registry: RegistryKey; readonly resource: string },
): RegistryError {
  recordDenial(audit, asker, { ...where, action, because: `shown as ${asker.caller.via}` });
  return new RegistryError('denied', 'a password or token for registry clients reads only', {
    detail: { action, hint: 'use an access key, or a token made by breakwater token create' },
  });
}

/** A refusal that no policy decided. */
export function recordDenial(
  audit: Audit,
  asker: Asker,
  what: {
    readonly action: string;
    readonly resource: string;
    readonly registry: RegistryKey;
    readonly because: string;
  },
): void {
  audit.record(denialOf(asker, what.action, what, what.because));
}

function ownerOf(
  { user, account }: Parameters<Admission['owner']>[0],
  { principal }: Asker,
): Owner {
  const own = account === undefined || account === principal.account;
  const self = principal.kind === 'administrator' ? undefined : principal.name;
  return {
    account: account ?? principal.account,
    name: user ?? (own ? self : undefined),
  };
}

/** As policies and messages name it. */
export function arnOfOwner({ account, name }: Owner): string {
  return describePrincipal(
    name === undefined ? { kind: 'administrator', account } : { kind: 'user', account, name },
  );
}

function ownTarget(name: string): PullTarget {
  const repository = canonicalName(name);
  if (repository === undefined)
    throw new RegistryError('nameInvalid', 'repository: not a repository name', {
      detail: { field: 'repository', value: name.slice(0, 255) },
    });
  return { rule: undefined, repository, upstreamRepository: repository };
}

function refused(action: string, because: string): RegistryError {
  return new RegistryError('denied', `${action} is not allowed`, {
    because,
    detail: {
      action,
      hint: action.startsWith('ecr:')
        ? 'breakwater access can says why, to an administrator'
        : "the account's administrator may, and whose identity policy allows it",
    },
  });
}
