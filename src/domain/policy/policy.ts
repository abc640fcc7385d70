import type { Principal } from './principal.ts';

/** Which policy it is: what may and must stand in its statements differs. */
export type PolicyKind = 'identity' | 'repository' | 'registry' | 'secret' | 'trust';

/** `${aws:username}` and its like are variables in 2012-10-17 alone; before, they are letters. */
export type PolicyVersion = '2012-10-17' | '2008-10-17';

/** A policy, parsed once (IAM JSON policy reference). The text itself is kept verbatim beside it. */
export interface PolicyDocument {
  readonly kind: PolicyKind;
  /** Absent means 2008-10-17, as in IAM: without variables. */
  readonly version?: PolicyVersion | undefined;
  readonly id: string | undefined;
  readonly statements: readonly PolicyStatement[];
}

export interface PolicyStatement {
  /** Any string; several statements may share one. */
  readonly sid: string | undefined;
  readonly effect: 'Allow' | 'Deny';
  /** Absent in identity policies. */
  readonly principals: PrincipalMatch | undefined;
  readonly notPrincipals: PrincipalMatch | undefined;
  /** Lower case, with wildcards; exactly one of the two is there. */
  readonly actions: readonly string[] | undefined;
  readonly notActions: readonly string[] | undefined;
  /** ARNs with wildcards; both absent in a repository policy without them: the repository itself. */
  readonly resources: readonly string[] | undefined;
  readonly notResources: readonly string[] | undefined;
  readonly conditions: readonly PolicyCondition[];
}

export interface PrincipalMatch {
  /** `*` or `{"AWS": "*"}`. */
  readonly everyone: boolean;
  /** Twelve digits, `arn:aws:iam::<account>:root` and bare accounts both. */
  readonly accounts: readonly string[];
  /** ARNs of users and roles, exact. */
  readonly arns: readonly string[];
  readonly services: readonly string[];
  /** ARNs of identity providers, exact. */
  readonly federated: readonly string[];
}

export interface PolicyCondition {
  /** As written: `StringEquals`, `ForAnyValue:StringLike`, `NumericLessThanIfExists`, … */
  readonly operator: string;
  /** Lower case: keys are compared so. */
  readonly key: string;
  readonly values: readonly string[];
}

/** A policy that counts for a question, under the name by which a decision speaks of it: `repository policy of team/app`. */
export interface NamedPolicy {
  readonly name: string;
  readonly document: PolicyDocument;
}

export interface AccessQuestion {
  readonly principal: Principal;
  /** `ecr:PutImage`. */
  readonly action: string;
  /** ARN of the repository, or `*` where the action has none. */
  readonly resource: string;
  /** The account that owns the resource. */
  readonly resourceAccount: string;
  /** Condition keys in lower case; several values where the key is multivalued, none where it is absent. */
  readonly context: ReadonlyMap<string, readonly string[]>;
  /** Those of the principal itself. */
  readonly identityPolicies: readonly NamedPolicy[];
  /** The repository's and the registry's. */
  readonly resourcePolicies: readonly NamedPolicy[];
  /** Of a session that was begun with some: what it may beside is taken away, but for what a resource's policy gives the session itself. */
  readonly sessionPolicies?: readonly NamedPolicy[] | undefined;
  /** Whether the principal may assume the role that has this policy: nobody may whom it does not name. */
  readonly trustPolicy?: NamedPolicy | undefined;
  /** Names of the identity provider that vouches for an anonymous principal which assumes a role. */
  readonly federated?: readonly string[] | undefined;
  /** Whether an Allow for `*` is for anonymous too; absent: no. A Deny for `*` always is. */
  readonly everyoneIncludesAnonymous?: boolean;
}

export interface AccessDecision {
  readonly allowed: boolean;
  readonly reason:
    | 'explicitDeny'
    | 'identityAllow'
    | 'resourceAllow'
    /** The resource's account is the administrator's own. */
    | 'administrator'
    /** Another account's resource: one of the two sides does not allow. */
    | 'crossAccount'
    /** The session's own policies do not allow what else would be. */
    | 'sessionLimit'
    | 'noStatement';
  /** What decided: the policy's name, and the statement's Sid or its index from 0. */
  readonly by: { readonly policy: string; readonly statement: string } | undefined;
}
