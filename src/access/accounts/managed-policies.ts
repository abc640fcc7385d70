import { clockOfCalls } from '../../coordination/call-attempt.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Label, LabelChange } from '../../domain/names/label.ts';
import { inKeyOrder } from '../../domain/names/label.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import { besideHome } from '../../domain/names/registry.ts';
import { awsManagedPolicies } from '../../domain/policy/aws-managed-policies.ts';
import type { IdentityAction } from '../../domain/policy/identity-action.ts';
import { identityActions } from '../../domain/policy/identity-action.ts';
import {
  attachmentsMax,
  awsAccount,
  managedPoliciesMax,
  managedPolicyArn,
  managedPolicyCharactersMax,
  policyCharacters,
  policyVersionsMax,
  versionId,
} from '../../domain/policy/managed-policy.ts';
import type { ManagedPolicyName } from '../../domain/policy/managed-policy.ts';
import { parsePolicy } from '../../domain/policy/parser.ts';
import { arnOfKey, roleNameOf } from '../../domain/policy/principal.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { ManagedPolicyRow } from '../../metadata/contract/managed-policies.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Invalidations } from '../../ports/invalidations.ts';
import type { Asker, Audit, AuditEntry } from '../access.ts';
import { changeOf } from '../audit/audit-entry.ts';
import { require, requireTags, tagsMax, tooManyTags } from './bounds.ts';

/** To whom, and which policy: its own name or ARN is in `policy`. */
export interface Attachment {
  readonly account: string;
  /** As the store has it. */
  readonly principal: string;
  readonly policy: ManagedPolicyName;
}

/**
 * Managed policies of accounts, and whom they and AWS's are attached to. Whether the `author` of a change may is decided before. What counts for
 * rights holds with the next request; each change is in the audit. Throws `RegistryError` in IAM's words.
 */
export interface ManagedPolicies {
  createPolicy(
    input: ManagedPolicyName & {
      readonly description: string;
      readonly text: string;
      readonly tags: readonly Label[];
    },
    author: Asker,
  ): Promise<ManagedPolicyRow>;
  deletePolicy(policy: ManagedPolicyName, author: Asker): Promise<void>;
  /** The number of the new version. */
  createVersion(
    policy: ManagedPolicyName,
    input: { readonly text: string; readonly asDefault: boolean },
    author: Asker,
  ): Promise<number>;
  deleteVersion(policy: ManagedPolicyName, version: number, author: Asker): Promise<void>;
  setDefaultVersion(policy: ManagedPolicyName, version: number, author: Asker): Promise<void>;
  changeTags(policy: ManagedPolicyName, change: LabelChange, author: Asker): Promise<void>;
  attach(input: Attachment, author: Asker): Promise<void>;
  detach(input: Attachment, author: Asker): Promise<void>;
}

export interface ManagedPoliciesOptions {
  readonly metadata: Pick<Metadata, 'managedPolicies'>;
  /** Its region is that under which changes of an account's identities are audited. */
  readonly home: () => RegistryKey;
  readonly invalidations: Pick<Invalidations, 'note'>;
  readonly clock: Clock;
  readonly audit: Audit;
}

export function createManagedPolicies(given: ManagedPoliciesOptions): ManagedPolicies {
  const options = { ...given, clock: clockOfCalls(given.clock) };
  return { ...policyChanges(options), ...versionChanges(options), ...attachments(options) };
}

function policyChanges(options: ManagedPoliciesOptions) {
  const { metadata, clock } = options;
  return {
    createPolicy: async ({ text, tags, description, account, path, name }, author) => {
      requireText(text);
      require(description.length <= 1000, 'description', '1000 characters at most');
      requireTags(tags);
      const now = clock.now();
      const kept = tags.length === 0 ? {} : { tags: inKeyOrder(tags) };
      const policy = { account, path, name, description, createdAt: now, updatedAt: now, ...kept };
      const outcome = await metadata.managedPolicies.createManagedPolicy({
        policy,
        text,
        policiesMax: managedPoliciesMax,
      });
      if (outcome === 'exists')
        throw new RegistryError(
          'conflict',
          `A policy called ${name} already exists. Duplicate names are not allowed.`,
          { kind: 'managedPolicyExists' },
        );
      if (outcome === 'limit') throw quota('PoliciesPerAccount', managedPoliciesMax);
      record(options, author, identityActions.createPolicy, policy);
      return { ...policy, defaultVersion: 1 };
    },
    deletePolicy: async (policy, author) => {
      const outcome = await metadata.managedPolicies.deleteManagedPolicy(policy);
      if (outcome === 'notFound') throw unknownPolicy(policy);
      if (outcome === 'attached') throw inUse('Cannot delete a policy attached to entities.');
      if (outcome === 'hasVersions')
        throw inUse(
          "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
        );
      record(options, author, identityActions.deletePolicy, policy);
    },
    changeTags: async (policy, change, author) => {
      requireTags(change.set);
      const outcome = await metadata.managedPolicies.changePolicyTags({
        ...policy,
        ...change,
        tagsMax,
      });
      if (outcome === 'notFound') throw unknownPolicy(policy);
      if (outcome === 'tooMany') throw tooManyTags();
      const changes = [
        [identityActions.untagPolicy, change.remove],
        [identityActions.tagPolicy, change.set.map(({ key }) => key)],
      ] as const;
      for (const [action, keys] of changes)
        if (keys.length > 0)
          record(options, author, action, policy, { keys: keys.join(' ').slice(0, 512) });
    },
  } satisfies Partial<ManagedPolicies>;
}

function versionChanges(options: ManagedPoliciesOptions) {
  const { metadata, clock } = options;
  return {
    createVersion: async (policy, { text, asDefault }, author) => {
      requireText(text);
      const outcome = await noting(options, () =>
        metadata.managedPolicies.createPolicyVersion({
          ...policy,
          text,
          asDefault,
          versionsMax: policyVersionsMax,
          now: clock.now(),
        }),
      );
      if (outcome === 'notFound') throw unknownPolicy(policy);
      if (outcome === 'limit')
        throw new RegistryError(
          'conflict',
          `A managed policy can have up to ${policyVersionsMax} versions. Before you create a new version, you must delete an existing version.`,
          { kind: 'principalLimit' },
        );
      const detail = { version: versionId(outcome), default: asDefault };
      record(options, author, identityActions.createPolicyVersion, policy, detail);
      return outcome;
    },
    deleteVersion: async (policy, version, author) => {
      const outcome = await metadata.managedPolicies.deletePolicyVersion({ ...policy, version });
      if (outcome === 'notFound') throw unknownPolicy(policy);
      if (outcome === 'noVersion') throw unknownVersion(policy, versionId(version));
      if (outcome === 'isDefault') throw inUse('Cannot delete the default version of a policy.');
      const detail = { version: versionId(version) };
      record(options, author, identityActions.deletePolicyVersion, policy, detail);
    },
    setDefaultVersion: async (policy, version, author) => {
      const outcome = await noting(options, () =>
        metadata.managedPolicies.setDefaultPolicyVersion({
          ...policy,
          version,
          now: clock.now(),
        }),
      );
      if (outcome === 'notFound') throw unknownPolicy(policy);
      if (outcome === 'noVersion') throw unknownVersion(policy, versionId(version));
      const detail = { version: versionId(version) };
      record(options, author, identityActions.setDefaultPolicyVersion, policy, detail);
    },
  } satisfies Partial<ManagedPolicies>;
}

function attachments(options: ManagedPoliciesOptions) {
  const { metadata, clock, audit, home } = options;
  const told = (action: IdentityAction, { account, principal, policy }: Attachment, by: Asker) => {
    const subject = { registry: besideHome(home(), account), resource: principal };
    audit.record(changeOf(by, action, subject, { policy: managedPolicyArn(policy) }));
  };
  return {
    attach: async (input, author) => {
      const { account, principal, policy } = input;
      const outcome = await noting(options, () =>
        metadata.managedPolicies.attachPolicy({
          account,
          principal,
          policy: storedName(policy),
          own: policy.account !== awsAccount,
          attachmentsMax,
          now: clock.now(),
        }),
      );
      if (outcome === 'noPolicy') throw notAttachable(policy);
      if (outcome === 'noPrincipal') {
        const arn = arnOfKey({ account, name: principal });
        throw new RegistryError('nameUnknown', `there is no ${arn}`, { kind: 'principalUnknown' });
      }
      const { attach, quotaName } = attachmentActionsOf(principal);
      if (outcome === 'limit') throw quota(quotaName, attachmentsMax);
      told(attach, input, author);
    },
    detach: async (input, author) => {
      const { account, principal, policy } = input;
      const isGone = await noting(options, () =>
        metadata.managedPolicies.detachPolicy({ account, principal, policy: storedName(policy) }),
      );
      if (!isGone) throw unknownPolicy(policy);
      told(attachmentActionsOf(principal).detach, input, author);
    },
  } satisfies Partial<ManagedPolicies>;
}

/** What is asked before policies are attached to a principal, or listed, and what IAM calls the bound. */
export function attachmentActionsOf(principal: string): {
  readonly list: IdentityAction;
  readonly attach: IdentityAction;
  readonly detach: IdentityAction;
  readonly quotaName: string;
} {
  return roleNameOf(principal) === undefined ? ofUsers : ofRoles;
}

const ofUsers = {
  list: identityActions.listAttachedUserPolicies,
  attach: identityActions.attachUserPolicy,
  detach: identityActions.detachUserPolicy,
  quotaName: 'PoliciesPerUser',
};

const ofRoles = {
  list: identityActions.listAttachedRolePolicies,
  attach: identityActions.attachRolePolicy,
  detach: identityActions.detachRolePolicy,
  quotaName: 'PoliciesPerRole',
};

/** How the store has a policy as an attachment. */
export function storedName(policy: ManagedPolicyName): string {
  return policy.account === awsAccount ? managedPolicyArn(policy) : policy.name;
}

function requireText(text: string): void {
  if (policyCharacters(text) > managedPolicyCharactersMax)
    throw quota('PolicySize', managedPolicyCharactersMax);
  parsePolicy(text, 'identity');
}

function quota(name: string, max: number): RegistryError {
  return new RegistryError('conflict', `Cannot exceed quota for ${name}: ${max}`, {
    kind: 'principalLimit',
  });
}

function inUse(message: string): RegistryError {
  return new RegistryError('conflict', message, { kind: 'principalInUse' });
}

export function unknownPolicy(policy: ManagedPolicyName): RegistryError {
  return unknown(policy, `Policy ${managedPolicyArn(policy)} was not found.`);
}

export function unknownVersion(policy: ManagedPolicyName, id: string): RegistryError {
  const arn = managedPolicyArn(policy);
  return unknown(policy, `Policy ${arn} version ${id} does not exist or is not attachable.`);
}

export function notAttachable(policy: ManagedPolicyName): RegistryError {
  const arn = managedPolicyArn(policy);
  return unknown(policy, `Policy ${arn} does not exist or is not attachable.`);
}

/** Of AWS's, those alone are here that say something of a registry, or that modules attach to the roles of its nodes. */
function unknown({ account, name }: ManagedPolicyName, message: string): RegistryError {
  const known = Array.from(awsManagedPolicies.values(), (each) => each.name);
  const told =
    account !== awsAccount || known.includes(name)
      ? message
      : `${message} Of AWS's policies Breakwater knows ${known.join(', ')}.`;
  return new RegistryError('nameUnknown', told, { kind: 'managedPolicyUnknown' });
}

/** Notes that rights may be others once a write is over, also where it failed half-way. */
async function noting<T>(
  { invalidations }: ManagedPoliciesOptions,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } finally {
    invalidations.note({ kind: 'policies' });
  }
}

function record(
  { audit, home }: ManagedPoliciesOptions,
  author: Asker,
  action: IdentityAction,
  policy: ManagedPolicyName,
  detail: AuditEntry['detail'] = {},
): void {
  const subject = {
    registry: besideHome(home(), policy.account),
    resource: managedPolicyArn(policy),
  };
  audit.record(changeOf(author, action, subject, detail));
}
