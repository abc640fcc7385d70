import type { Label, LabelChange } from '../../domain/names/label.ts';
import type { ManagedPolicyKey, ManagedPolicyName } from '../../domain/policy/managed-policy.ts';

export interface ManagedPolicyRow extends ManagedPolicyName {
  readonly description: string;
  readonly defaultVersion: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** In the order of their keys, none twice; absent: none. */
  readonly tags?: readonly Label[];
}

export interface PolicyVersionRow {
  readonly version: number;
  /** Verbatim. */
  readonly text: string;
  readonly createdAt: number;
}

/** A principal by the name that the store has for it, and what is attached to it: an own policy's name, or the ARN of one of AWS's. */
export interface AttachmentKey {
  readonly account: string;
  readonly principal: string;
  readonly policy: string;
}

export interface AttachedPolicyRow {
  readonly policy: string;
  /** `undefined`: one of AWS's. */
  readonly own: { readonly path: string; readonly text: string } | undefined;
}

export interface PolicyHolderRow {
  readonly principal: string;
  readonly madeAt: number;
  /** Of a role. */
  readonly path?: string;
}

/** Policies that stand for themselves, of each account, and whom they are attached to; AWS's own are nowhere here but as attachments. */
export interface ManagedPolicyMetadata {
  findManagedPolicy(key: ManagedPolicyKey): Promise<ManagedPolicyRow | undefined>;
  /** In the order of their numbers; none where there is no policy. */
  listPolicyVersions(key: ManagedPolicyKey): Promise<readonly PolicyVersionRow[]>;
  /** In the order of their names, with the texts that count. Without a limit: one that is left out may be the one that denies. */
  listAttachedPolicies(account: string, principal: string): Promise<readonly AttachedPolicyRow[]>;
  /** In the order of their names. */
  listManagedPolicies(account: string): Promise<readonly ManagedPolicyRow[]>;
  /** How many principals of the account each policy is attached to; those that are attached to none are left out. */
  countAttachments(
    account: string,
  ): Promise<readonly { readonly policy: string; readonly count: number }[]>;
  /** In the order of their names. */
  listPolicyHolders(account: string, policy: string): Promise<readonly PolicyHolderRow[]>;

  /** With its first version, which is the one that counts. `limit`: the account has `policiesMax` of them. */
  createManagedPolicy(input: {
    readonly policy: Omit<ManagedPolicyRow, 'defaultVersion'>;
    readonly text: string;
    readonly policiesMax: number;
  }): Promise<'created' | 'exists' | 'limit'>;
  /** With its versions. */
  deleteManagedPolicy(
    input: ManagedPolicyKey,
  ): Promise<'deleted' | 'notFound' | 'attached' | 'hasVersions'>;
  /** Its number, which no version of the policy had before. */
  createPolicyVersion(
    input: ManagedPolicyKey & {
      readonly text: string;
      readonly asDefault: boolean;
      readonly versionsMax: number;
      readonly now: number;
    },
  ): Promise<number | 'notFound' | 'limit'>;
  deletePolicyVersion(
    input: ManagedPolicyKey & { readonly version: number },
  ): Promise<'deleted' | 'notFound' | 'noVersion' | 'isDefault'>;
  setDefaultPolicyVersion(
    input: ManagedPolicyKey & { readonly version: number; readonly now: number },
  ): Promise<'changed' | 'notFound' | 'noVersion'>;
  /** `tooMany`: more than `tagsMax` would be there; nothing is changed then. */
  changePolicyTags(
    input: ManagedPolicyKey & LabelChange & { readonly tagsMax: number },
  ): Promise<'changed' | 'notFound' | 'tooMany'>;

  /** `noPolicy` for an own one that is not there. One that is attached already stays so. */
  attachPolicy(
    input: AttachmentKey & {
      /** It is one of the account's own. */
      readonly own: boolean;
      readonly attachmentsMax: number;
      readonly now: number;
    },
  ): Promise<'attached' | 'noPrincipal' | 'noPolicy' | 'limit'>;
  /** False where it was not attached. */
  detachPolicy(input: AttachmentKey): Promise<boolean>;
}
