import { actions } from '../../domain/policy/access-action.ts';
import type { Action } from '../../domain/policy/access-action.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { ErrorCode, ErrorOptionsOf } from '../../domain/errors.ts';
import type { IdentityAction } from '../../domain/policy/identity-action.ts';
import { arnOfKey } from '../../domain/policy/principal.ts';
import type { PrincipalKey } from '../../domain/policy/principal.ts';
import type { PullTarget } from '../../domain/rules/pull-rule.ts';
import { besideHome, repositoryArn } from '../../domain/names/registry.ts';
import type { RegistryKey, RepositoryKey } from '../../domain/names/registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { RepositoryMetadata } from '../../metadata/contract/metadata.ts';
import type { StoredRepository } from '../../metadata/contract/rows.ts';
import type {
  Asker,
  Audit,
  Authorizer,
  Caller,
  PullRights,
  Question,
  RequestFrom,
  TrustAsked,
} from '../access.ts';
import { denialOf } from '../audit/audit-entry.ts';
import {
  isForRegistryClients,
  isOperator,
  refuseRegistryClient,
  requireLasting,
} from './registry-clients.ts';

/** One repository as it was asked for, with the rule that leads to it. */
export interface Place {
  readonly registry: RegistryKey;
  readonly target: PullTarget;
}

/**
 * Whether somebody may do something, for every front-end alike. It knows no protocol: who asks is an `Asker`, what is asked about a `Place`,
 * a registry or a `PrincipalKey`. What is refused is thrown as `AccessRefused` and recorded in the audit once; methods that answer
 * `boolean` record nothing unless they say so.
 */
export interface Admission {
  /**
   * Answers whether the pull may also import: have fetched from upstream what is not in the cache. `orElse`: another action that is
   * enough. Synchronous where rows and policies are in memory. The rule's `allow` and `deny` patterns are not looked at.
   */
  requirePull(
    asker: Asker,
    place: Place,
    action: Action,
    orElse?: Action,
  ): boolean | Promise<boolean>;
  /** The error for a pull that found nothing in the cache and may not import; recorded. */
  notImported(asker: Asker, place: Place): Promise<RegistryError>;
  /** All of the actions; `makes`: making the repository too, where it is missing. */
  require(asker: Asker, place: Place, wanted: readonly Action[], makes?: boolean): Promise<void>;
  /** Whether all of the actions are allowed. */
  may(asker: Asker, place: Place, wanted: readonly Action[]): Promise<boolean>;
  /** Whether one of the actions is allowed. `row`: the repository's, where it has just been read. */
  mayAny(
    asker: Asker,
    place: Place,
    wanted: readonly Action[],
    row?: StoredRepository,
  ): Promise<boolean>;
  /** Whether a push may have fetched from upstream what it names. A refusal is recorded: it keeps the push from being stored. */
  mayImport(asker: Asker, place: Place): Promise<boolean>;
  /** Whether the scopes of a registry token are all that is in the way, so that another token helps. */
  isNarrowed(asker: Asker, place: Place, action: Action): Promise<boolean>;
  /** For what concerns the registry as a whole, or makes a repository in it. */
  requireInRegistry(
    asker: Asker,
    action: Action,
    registry: RegistryKey,
    repository?: RepositoryName,
  ): Promise<void>;
  /** For what concerns every repository of the registry: asked of `repository/*`. */
  requireOfAll(asker: Asker, action: Action, registry: RegistryKey): Promise<void>;
  /** For what is no repository: a secret, by its ARN, with its own policy, and as it is named to whoever is refused. */
  requireOfResource(
    asker: Asker,
    action: Action,
    registry: RegistryKey,
    resource: string,
    more?: Pick<Question, 'resourceAsAsked' | 'resourcePolicy'>,
  ): Promise<void>;
  /**
   * The account's own; the operator's is any. Never by what registry clients log in with. `resourceAsAsked`: how whoever is refused is told what
   * it was about, where the owner's ARN would say more than was asked.
   */
  requireIdentity(
    asker: Asker,
    action: IdentityAction,
    owner: PrincipalKey | IdentityResource,
    more?: Pick<Question, 'resourceAsAsked' | 'policyArn'>,
  ): Promise<void>;
  /** Whether the role of that ARN may be assumed; what is refused reads the same whether it is there or not. */
  requireTrust(
    asker: Asker,
    action: IdentityAction,
    role: { readonly account: string; readonly arn: string; readonly trust: TrustAsked },
  ): Promise<void>;
  /** What the kind of credential rules out, whatever policies say. `action`: as the audit has it. */
  requireCredential(
    asker: Asker,
    action: string,
    needs: { readonly changes: boolean; readonly operator: boolean },
  ): void;
  /** The home account's administrator, by a key or a token without limits: whose the server is. */
  isOperator(caller: Caller): boolean;
  /** Records that a page of another site made a browser ask, and answers the error. */
  refuseOtherSite(
    asker: Asker,
    action: string,
    subject: { readonly registry: RegistryKey; readonly resource: string },
    because: string,
  ): RegistryError;
}

/** What of a request its front-end knows. */
interface KnownRequest {
  readonly id: string;
  readonly clientAddress: string;
  readonly secure: boolean;
  readonly isLoopback: boolean;
  readonly headers: { readonly 'user-agent'?: string | undefined };
}

/** Policies, and whoever compares their patterns, see no more of a header. */
const headerCharactersMax = 1024;

/** A request as conditions, throttling and the audit see it; one way for every front-end. */
export function requestFrom(request: KnownRequest, otherSite?: string): RequestFrom {
  return {
    address: request.clientAddress,
    secure: request.secure,
    isLoopback: request.isLoopback,
    userAgent: request.headers['user-agent']?.slice(0, headerCharactersMax),
    requestId: request.id,
    otherSite,
  };
}

/** What belongs to an account and is no principal: a managed policy. */
export interface IdentityResource {
  readonly account: string;
  readonly arn: string;
}

export interface AdmissionParts {
  readonly authorizer: Pick<Authorizer, 'may' | 'pullRights' | 'explain'>;
  readonly metadata: { readonly repositories: Pick<RepositoryMetadata, 'findRepository'> };
  readonly audit: Audit;
  /** The home registry as configured now. */
  readonly home: () => RegistryKey;
}

/**
 * `login`: an anonymous caller, whom credentials may help. `hidden`: the caller may not see the repository either, so the error reads as
 * if it did not exist. `forbidden`: it may be seen. `notImported`: it may be pulled, but nothing new fetched for this caller.
 */
export type RefusalReason = 'login' | 'hidden' | 'forbidden' | 'notImported';

interface Refusal extends ErrorOptionsOf {
  readonly reason: RefusalReason;
  readonly question: Question;
}

/** Somebody may not. A front-end whose clients expect other words or codes makes them of `reason` and `question`. */
export class AccessRefused extends RegistryError {
  readonly reason: RefusalReason;
  readonly question: Question;

  constructor(code: ErrorCode, message: string, options: Refusal) {
    super(code, message, options);
    this.reason = options.reason;
    this.question = options.question;
  }
}

export function createAdmission(parts: AdmissionParts): Admission {
  return { ...repositoryAdmission(parts), ...pullAdmission(parts), ...accountAdmission(parts) };
}

function pullAdmission(parts: AdmissionParts) {
  const { authorizer } = parts;
  return {
    requirePull: (asker, place, action, orElse) => {
      const question = questionOf(asker, place, action);
      const rights =
        orElse === undefined
          ? authorizer.pullRights(question)
          : rightsOfEither(parts, question, orElse);
      return rights instanceof Promise
        ? rights.then((known) => admitPull(parts, question, known))
        : admitPull(parts, question, rights);
    },
    notImported: async (asker, place) => {
      const isThere = await isRepositoryThere(parts, keyOf(place));
      let question = questionOf(asker, place, actions.importUpstream);
      let { allowed, because } = await authorizer.may(question);
      if (allowed && !isThere) {
        question = questionOf(asker, place, actions.createRepository);
        ({ allowed, because } = await authorizer.may(question));
      }
      const { otherSite } = asker.from;
      if (allowed && otherSite !== undefined) {
        const subject = { registry: place.registry, resource: place.target.repository };
        return refuseOtherSite(parts, asker, actions.importUpstream, subject, otherSite);
      }
      const refused = { reason: 'notImported', question, because } as const;
      return isThere
        ? new AccessRefused('manifestUnknown', 'Requested image not found', refused)
        : unknownRepository(refused);
    },
    mayImport: async (asker, place) =>
      (await authorizer.may(questionOf(asker, place, actions.importUpstream))).allowed,
  } satisfies Partial<Admission>;
}

/** Only the last one refused is a denial. */
function rightsOfEither(
  { authorizer }: AdmissionParts,
  question: Question,
  orElse: Action,
): PullRights | Promise<PullRights> {
  const first = authorizer.explain(question);
  const settle = (allowed: boolean): PullRights | Promise<PullRights> =>
    authorizer.pullRights(allowed ? question : { ...question, action: orElse });
  return first instanceof Promise
    ? first.then(({ allowed }) => settle(allowed))
    : settle(first.allowed);
}

/** A missing right to import is not recorded here: what is in the cache is still served. */
function admitPull(
  parts: AdmissionParts,
  question: Question,
  { pulls, imports, makes }: PullRights,
): boolean | Promise<boolean> {
  if (!pulls.allowed) return refuse(parts, question, pulls.because);
  const { registry, repository, rule, from } = question;
  if (rule === undefined || repository === undefined) return true;
  if (from.otherSite !== undefined) return false;
  if (!imports.allowed || makes.allowed) return imports.allowed;
  return isRepositoryThere(parts, { registry, repository });
}

function repositoryAdmission(parts: AdmissionParts) {
  const { authorizer } = parts;
  const requireOne = async (question: Question): Promise<void> => {
    const { allowed, because } = await authorizer.may(question);
    if (!allowed) await refuse(parts, question, because);
  };
  return {
    require: async (asker, place, wanted, makes = false) => {
      for (const action of wanted) await requireOne(questionOf(asker, place, action));
      if (makes && !(await isRepositoryThere(parts, keyOf(place))))
        await requireOne(questionOf(asker, place, actions.createRepository));
    },
    may: async (asker, place, wanted) => {
      for (const action of wanted)
        if (!(await authorizer.explain(questionOf(asker, place, action))).allowed) return false;
      return true;
    },
    mayAny: async (asker, place, wanted, row) => {
      for (const action of wanted)
        if ((await authorizer.explain(questionOf(asker, place, action), row)).allowed) return true;
      return false;
    },
    isNarrowed: async ({ caller, from }, place, action) => {
      if (caller.via !== 'bearer' || caller.scopes === undefined) return false;
      // The limits of the credential behind it stay.
      const whole = { ...caller, scopes: caller.credentialScopes };
      return (await authorizer.explain(questionOf({ caller: whole, from }, place, action))).allowed;
    },
  } satisfies Partial<Admission>;
}

async function isRepositoryThere(
  { metadata }: AdmissionParts,
  key: RepositoryKey,
): Promise<boolean> {
  return (await metadata.repositories.findRepository(key)) !== undefined;
}

function keyOf({ registry, target: { repository } }: Place): RepositoryKey {
  return { registry, repository };
}

/** Throws the error of a missing right, which reveals nothing that the caller may not see. */
async function refuse(
  { authorizer }: AdmissionParts,
  question: Question,
  because: string,
): Promise<never> {
  if (question.caller.principal.kind === 'anonymous')
    throw new AccessRefused('unauthorized', 'authentication is needed for this', {
      reason: 'login',
      question,
      because,
    });
  for (const sees of [actions.listRepositories, actions.getManifest])
    if ((await authorizer.explain({ ...question, action: sees })).allowed)
      throw forbidden(question, because);
  throw unknownRepository({ reason: 'hidden', question, because });
}

/** The same words for one that may not be seen as for one that is not there. */
function unknownRepository(refused: Refusal): AccessRefused {
  const detail = { name: refused.question.repository };
  return new AccessRefused('nameUnknown', 'repository unknown', { ...refused, detail });
}

function accountAdmission(parts: AdmissionParts) {
  const { authorizer, audit, home } = parts;
  const requireOne = async (question: Question): Promise<void> => {
    const { allowed, because } = await authorizer.may(question);
    if (!allowed) throw forbidden(question, because);
  };
  const requireOfResource: Admission['requireOfResource'] = (...asked) => {
    const [asker, action, registry, resource, more] = asked;
    const place = { registry, repository: undefined, rule: undefined, resource, ...more };
    return requireOne({ ...asker, action, ...place });
  };
  return {
    requireInRegistry: (asker, action, registry, repository) =>
      requireOne({ ...asker, action, registry, repository, rule: undefined }),
    requireOfResource,
    requireOfAll: (asker, action, registry) =>
      requireOfResource(asker, action, registry, repositoryArn(registry, '*')),
    requireTrust: (asker, action, { account, arn: resource, trust }) => {
      const registry = besideHome(home(), account);
      const place = { registry, repository: undefined, rule: undefined };
      return requireOne({ ...asker, ...place, action, resource, trust });
    },
    requireIdentity: async (asker, action, owner, more) => {
      const resource = 'arn' in owner ? owner.arn : arnOfKey(owner);
      requireLasting(parts, asker, action, resource);
      if (isOperator(asker.caller, home())) return;
      const registry = besideHome(home(), owner.account);
      await requireOne({
        ...asker,
        action,
        registry,
        repository: undefined,
        rule: undefined,
        resource,
        ...more,
      });
    },
    requireCredential: (asker, action, { changes, operator }) => {
      if (changes && isForRegistryClients(asker.caller))
        throw refuseRegistryClient(parts, asker, action, '');
      if (!operator || isOperator(asker.caller, home())) return;
      const subject = { registry: home(), resource: '' };
      audit.record(denialOf(asker, action, subject, 'for the operator alone'));
      throw new RegistryError('denied', 'only the administrator of the home account may', {
        detail: { hint: 'use the key of dataDir/credentials' },
      });
    },
    isOperator: (caller) => isOperator(caller, home()),
    refuseOtherSite: (...asked) => refuseOtherSite(parts, ...asked),
  } satisfies Partial<Admission>;
}

function refuseOtherSite(
  { audit }: AdmissionParts,
  ...[asker, action, subject, because]: Parameters<Admission['refuseOtherSite']>
): RegistryError {
  audit.record(denialOf(asker, action, subject, because));
  return otherSiteRefused(because);
}

/** A browser that keeps a password for this host would send it with a foreign page's form. */
export function otherSiteRefused(because: string): RegistryError {
  return new RegistryError('denied', 'requests from other sites are refused', {
    detail: { because },
  });
}

function forbidden(question: Question, because: string): AccessRefused {
  const { action, repository } = question;
  return new AccessRefused('denied', `${action} is not allowed here`, {
    reason: 'forbidden',
    question,
    because,
    detail: { action, ...(repository === undefined ? {} : { repository }) },
  });
}

function questionOf(
  { caller, from }: Asker,
  { registry, target: { repository, rule } }: Place,
  action: Action,
): Question {
  return { caller, action, registry, repository, rule, from };
}
