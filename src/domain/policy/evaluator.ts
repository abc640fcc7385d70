import type { AccessDecision, AccessQuestion, NamedPolicy } from './policy.ts';
import { accountOf, keyValues, statementsOf } from './statement.ts';
import type { Asked } from './statement.ts';
import { arnOf, describePrincipal } from './principal.ts';

type By = NonNullable<AccessDecision['by']>;

/** What the policies of one side say. */
interface Said {
  readonly deny: By | undefined;
  /** An Allow that is meant for the principal itself. */
  readonly allow: By | undefined;
  /** An Allow for the principal's account: whom of it, its identity policies say. */
  readonly byAccount: By | undefined;
  /** An Allow that names the session itself, which its own policies do not limit. */
  readonly bySession: By | undefined;
}

/**
 * May they (IAM's evaluation logic, as ECR uses it). An explicit deny anywhere wins. In its own account a principal needs an Allow of
 * either side, an administrator none; for another account's resource it needs one of both; for assuming a role, one of its trust policy. Pure;
 * compiled statements are kept with their documents, so ask with the same objects.
 */
export function evaluatePolicies(question: AccessQuestion): AccessDecision {
  const { principal, sessionPolicies, trustPolicy } = question;
  const asked = askedOf(question);
  const identity = ask(question.identityPolicies, asked);
  if (identity.deny !== undefined) return denied(identity.deny);
  const session = sessionPolicies && ask(sessionPolicies, asked);
  if (session?.deny !== undefined) return denied(session.deny);
  const resource =
    trustPolicy === undefined
      ? ofResources(question.resourcePolicies, asked)
      : ask([trustPolicy], asked);
  if (resource.deny !== undefined) return denied(resource.deny);
  if (principal.kind === 'anonymous') {
    if (resource.allow === undefined) return nothing;
    return { allowed: true, reason: 'resourceAllow', by: resource.allow };
  }
  const limited = session !== undefined && session.allow === undefined;
  const sides: Sides = {
    own: limited ? undefined : identity.allow,
    given: limited ? resource.bySession : resource.allow,
    byAccount: resource.byAccount,
    isAdministrator: principal.kind === 'administrator',
  };
  const decision =
    principal.account !== question.resourceAccount
      ? acrossAccounts({ ...sides, given: resource.allow })
      : trustPolicy === undefined
        ? inOwnAccount(sides)
        : byTrust(sides);
  const wouldBe = identity.allow ?? resource.allow;
  return !decision.allowed && limited && wouldBe !== undefined
    ? { allowed: false, reason: 'sessionLimit', by: wouldBe }
    : decision;
}

/** What allows it, of the principal's side and of the resource's. */
interface Sides {
  readonly own: By | undefined;
  /** Meant for the principal itself. */
  readonly given: By | undefined;
  readonly byAccount: By | undefined;
  readonly isAdministrator: boolean;
}

function inOwnAccount({ own, given, isAdministrator }: Sides): AccessDecision {
  if (isAdministrator) return { allowed: true, reason: 'administrator', by: undefined };
  if (own !== undefined) return { allowed: true, reason: 'identityAllow', by: own };
  return given === undefined ? nothing : { allowed: true, reason: 'resourceAllow', by: given };
}

/** An account that a trust policy names leaves it to its identity policies who may; its administrator may. */
function byTrust({ own, given, byAccount, isAdministrator }: Sides): AccessDecision {
  const by = given ?? (isAdministrator || own !== undefined ? byAccount : undefined);
  return by === undefined ? nothing : { allowed: true, reason: 'resourceAllow', by };
}

function denied(by: By): AccessDecision {
  return { allowed: false, reason: 'explicitDeny', by };
}

const nothing: AccessDecision = { allowed: false, reason: 'noStatement', by: undefined };

/**
 * Repository and registry policies speak of ECR's actions alone, a secret's of Secrets Manager's, however wide their wildcards: who may change identities, keys and
 * tokens, identity policies say. Of `ecr:GetAuthorizationToken` they may only take away (ECR, "Private registry policies").
 */
function ofResources(policies: readonly NamedPolicy[], asked: Asked): Said {
  if (asked.action.startsWith('secretsmanager:'))
    return ask(
      policies.filter(({ document }) => document.kind === 'secret'),
      asked,
    );
  if (!asked.action.startsWith('ecr:')) return silence;
  const said = ask(policies, asked);
  return asked.action === 'ecr:getauthorizationtoken' ? { ...silence, deny: said.deny } : said;
}

const silence: Said = {
  deny: undefined,
  allow: undefined,
  byAccount: undefined,
  bySession: undefined,
};

/** An administrator may do everything as far as its own account is concerned. */
function acrossAccounts({ own, given, byAccount, isAdministrator }: Sides): AccessDecision {
  const there = given ?? byAccount;
  const here = isAdministrator || own !== undefined;
  if (there === undefined && !here) return nothing;
  if (there === undefined) return { allowed: false, reason: 'crossAccount', by: own };
  return here
    ? { allowed: true, reason: 'resourceAllow', by: there }
    : { allowed: false, reason: 'crossAccount', by: there };
}

function ask(policies: readonly NamedPolicy[], asked: Asked): Said {
  let allow: By | undefined;
  let byAccount: By | undefined;
  let bySession: By | undefined;
  const isSettled = (): boolean =>
    allow !== undefined && (asked.sessionArn === undefined || bySession !== undefined);
  for (const { name, document } of policies) {
    for (const statement of statementsOf(document)) {
      if (!statement.isDeny && isSettled()) continue;
      const how = statement.applies(asked);
      if (how === undefined) continue;
      const by = { policy: name, statement: statement.label };
      if (statement.isDeny) return { ...silence, deny: by };
      if (how === 'byAccount') byAccount ??= by;
      else allow ??= by;
      if (how === 'bySession') bySession ??= by;
    }
  }
  return { deny: undefined, allow, byAccount, bySession };
}

function askedOf(question: AccessQuestion): Asked {
  const { principal, context, resource } = question;
  return {
    principal,
    account: accountOf(principal),
    arn: arnOf(principal),
    sessionArn:
      principal.kind === 'role' && principal.session !== undefined
        ? describePrincipal(principal)
        : undefined,
    federated: question.federated ?? [],
    everyoneIncludesAnonymous: question.everyoneIncludesAnonymous === true,
    action: question.action.toLowerCase(),
    resource,
    segments: resource.split(':'),
    values: keyValues(principal, context),
  };
}
