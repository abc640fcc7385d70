import type { Asker } from '../../access/access.ts';
import {
  attachmentActionsOf,
  storedName,
  unknownPolicy,
} from '../../access/accounts/managed-policies.ts';
import type { ManagedPolicies } from '../../access/accounts/managed-policies.ts';
import type { Roles } from '../../access/accounts/roles.ts';
import type { Admission } from '../../access/admission/admission.ts';
import { uniqueId } from '../../access/identify/unique-id.ts';
import type { AttachedPolicyView } from '../../contract/access-view.ts';
import type { Listing } from '../../contract/admin-view.ts';
import { onceRead } from '../../coordination/call-attempt.ts';
import { identityActions } from '../../domain/policy/identity-action.ts';
import { awsAccount, managedPolicyArn } from '../../domain/policy/managed-policy.ts';
import type { ManagedPolicyName } from '../../domain/policy/managed-policy.ts';
import { roleNameOf } from '../../domain/policy/principal.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import { admitPolicy, readPolicyArn, requireAttachable, requireThere } from './managed-policies.ts';
import { listing } from '../page.ts';
import { unknownOwner } from '../named-principal.ts';
import type { Places } from '../places.ts';
import { policyHolder } from './policy-holder.ts';
import type { HolderInput, HolderKey } from './policy-holder.ts';

/** A principal by its name and IAM's id of it. */
interface Holder {
  readonly path: string;
  readonly name: string;
  readonly id: string;
}

/** Which managed policies count among those of a user, robot or role. Each throws `RegistryError`. */
export interface PolicyAttachmentOperations {
  attachedPolicies(asker: Asker, input: HolderInput): Promise<Listing<AttachedPolicyView>>;
  /** One that is attached already stays so. */
  attachPolicy(asker: Asker, input: HolderInput & { readonly arn: string }): Promise<void>;
  detachPolicy(asker: Asker, input: HolderInput & { readonly arn: string }): Promise<void>;
  /** Of one of AWS's, those of the asker's account. */
  policyHolders(
    asker: Asker,
    input: { readonly arn: string },
  ): Promise<{ readonly users: readonly Holder[]; readonly roles: readonly Holder[] }>;
}

export interface PolicyAttachmentsParts {
  readonly admission: Pick<Admission, 'requireIdentity'>;
  readonly places: Pick<Places, 'accountOf'>;
  readonly metadata: Pick<Metadata, 'identities' | 'managedPolicies'>;
  readonly managedPolicies: ManagedPolicies;
  readonly roles: Pick<Roles, 'findRole'>;
}

export function createPolicyAttachments(parts: PolicyAttachmentsParts): PolicyAttachmentOperations {
  const { metadata, managedPolicies, places } = parts;
  return {
    attachedPolicies: async (asker, input) => {
      const holder = await admitted(parts, asker, 'list', input);
      await requireHolder(parts, holder);
      const { account, name } = holder;
      const rows = await metadata.managedPolicies.listAttachedPolicies(account, name);
      return listing(
        rows.map(({ policy, own }) =>
          viewAttached(
            holder,
            own === undefined ? readPolicyArn(policy) : { account, name: policy, path: own.path },
          ),
        ),
      );
    },
    attachPolicy: async (asker, { arn, ...input }) => {
      const policy = readPolicyArn(arn);
      const { account, name } = await admitted(parts, asker, 'attach', input, arn);
      await requireAttachable(parts, policy, account);
      await managedPolicies.attach({ account, principal: name, policy }, asker);
    },
    detachPolicy: async (asker, { arn, ...input }) => {
      const policy = readPolicyArn(arn);
      const holder = await admitted(parts, asker, 'detach', input, arn);
      await requireHolder(parts, holder);
      const { account, name } = holder;
      if (policy.account !== awsAccount && policy.account !== account) throw unknownPolicy(policy);
      if (policy.account !== awsAccount) await onceRead('policy', () => requirePath(parts, policy));
      await managedPolicies.detach({ account, principal: name, policy }, asker);
    },
    policyHolders: async (asker, { arn }) => {
      const policy = await admitPolicy(parts, asker, identityActions.listEntitiesForPolicy, arn);
      await requireThere(parts, policy);
      const account = policy.account === awsAccount ? places.accountOf({}, asker) : policy.account;
      const rows = await metadata.managedPolicies.listPolicyHolders(account, storedName(policy));
      const users = rows.filter(({ principal }) => roleNameOf(principal) === undefined);
      const roles = rows.filter(({ principal }) => roleNameOf(principal) !== undefined);
      return {
        users: users.map(({ principal: name, madeAt }) => ({
          name,
          path: '/',
          id: uniqueId('AIDA', { account, name, madeAt }),
        })),
        roles: roles.map(({ principal, path, madeAt }) => {
          const name = roleNameOf(principal) ?? '';
          return { name, path: path ?? '/', id: uniqueId('AROA', { account, name, madeAt }) };
        }),
      };
    },
  };
}

/** The holder, once the asker may. */
async function admitted(
  parts: PolicyAttachmentsParts,
  asker: Asker,
  wanted: 'list' | 'attach' | 'detach',
  input: HolderInput,
  policyArn?: string,
): Promise<HolderKey> {
  const holder = await policyHolder(parts, asker, input);
  const action = attachmentActionsOf(holder.name)[wanted];
  const more = policyArn === undefined ? {} : { policyArn };
  await parts.admission.requireIdentity(asker, action, holder, more);
  return holder;
}

/** Its right was asked of the path that was written: by another one than its own `iam:PolicyARN` would be passed. */
async function requirePath(
  parts: PolicyAttachmentsParts,
  policy: ManagedPolicyName,
): Promise<boolean> {
  await requireThere(parts, policy);
  return true;
}

async function requireHolder(
  { metadata, roles }: PolicyAttachmentsParts,
  holder: HolderKey,
): Promise<void> {
  const { account, name } = holder;
  const role = roleNameOf(name);
  const row = await (role === undefined
    ? metadata.identities.findPrincipal(account, name)
    : roles.findRole({ account, name: role }));
  if (row === undefined) throw unknownOwner(holder);
}

function viewAttached(holder: HolderKey, policy: ManagedPolicyName): AttachedPolicyView {
  const role = roleNameOf(holder.name);
  return {
    account: holder.account,
    user: role === undefined ? holder.name : null,
    role: role ?? null,
    arn: managedPolicyArn(policy),
    name: policy.name,
    path: policy.path,
  };
}
