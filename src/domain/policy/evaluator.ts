import type { AccessDecision, AccessQuestion, NamedPolicy } from './policy.ts';
import { accountOf, type Asked, keyValues, statementsOf } from './statement.ts';
import { arnOf } from './principal.ts';

type By = NonNullable<AccessDecision['by']>;

/** What the policies of one side say. */
interface Said {
  readonly deny: By | undefined;
  /** An Allow that is meant for the principal itself. */
  readonly allow: By | undefined;
  /** An Allow for the principal's account: whom of it, its identity policies say. */
  readonly byAccount: By | undefined;
}

/**
 * May they (IAM's evaluation logic, as ECR uses it). An explicit deny anywhere wins. In its own account a principal needs an Allow of
 * either side, an administrator none; for another account's resource it needs one of both. Pure; compiled statements are kept with
 * their documents, so ask with the same objects.
 */
export function evaluatePolicies(question: AccessQuestion): AccessDecision {
  const { principal } = question;
  const asked = askedOf(question);
  const identity = ask(question.identityPolicies, asked);
  const denied = identity.deny;
  if (denied !== undefined) return { allowed: false, reason: 'explicitDeny', by: denied };
  const resource = ofResources(question.resourcePolicies, asked);
  if (resource.deny !== undefined)
    return { allowed: false, reason: 'explicitDeny', by: resource.deny };
  if (principal.kind === 'anonymous') {
    if (resource.allow === undefined) return nothing;
    return { allowed: true, reason: 'resourceAllow', by: resource.allow };
  }
  if (principal.account !== question.resourceAccount)
    return acrossAccounts(identity, resource, principal.kind === 'administrator');
  if (principal.kind === 'administrator')
    return { allowed: true, reason: 'administrator', by: undefined };
  if (identity.allow !== undefined)
    return { allowed: true, reason: 'identityAllow', by: identity.allow };
  if (resource.allow !== undefined)
    return { allowed: true, reason: 'resourceAllow', by: resource.allow };
  return nothing;
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

const silence: Said = { deny: undefined, allow: undefined, byAccount: undefined };

/** An administrator may do everything as far as its own account is concerned. */
function acrossAccounts(identity: Said, resource: Said, isAdministrator: boolean): AccessDecision {
  const there = resource.allow ?? resource.byAccount;
  const here = isAdministrator || identity.allow !== undefined;
  if (there === undefined && !here) return nothing;
  if (there === undefined) return { allowed: false, reason: 'crossAccount', by: identity.allow };
  return here
    ? { allowed: true, reason: 'resourceAllow', by: there }
    : { allowed: false, reason: 'crossAccount', by: there };
}

function ask(policies: readonly NamedPolicy[], asked: Asked): Said {
  let allow: By | undefined;
  let byAccount: By | undefined;
  for (const { name, document } of policies) {
    for (const statement of statementsOf(document)) {
      if (!statement.isDeny && allow !== undefined) continue;
      const how = statement.applies(asked);
      if (how === undefined) continue;
      const by = { policy: name, statement: statement.label };
      if (statement.isDeny) return { deny: by, allow: undefined, byAccount: undefined };
      if (how === 'directly') allow = by;
      else byAccount ??= by;
    }
  }
  return { deny: undefined, allow, byAccount };
}

function askedOf(question: AccessQuestion): Asked {
  const { principal, context, resource } = question;
  return {
    principal,
    account: accountOf(principal),
    arn: arnOf(principal),
    everyoneIncludesAnonymous: question.everyoneIncludesAnonymous === true,
    action: question.action.toLowerCase(),
    resource,
    segments: resource.split(':'),
    values: keyValues(principal, context),
  };
}
