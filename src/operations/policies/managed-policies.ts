import type { Asker } from '../../access/access.ts';
import {
  notAttachable,
  unknownPolicy,
  unknownVersion,
} from '../../access/accounts/managed-policies.ts';
import type { ManagedPolicies } from '../../access/accounts/managed-policies.ts';
import type { Admission } from '../../access/admission/admission.ts';
import { uniqueId } from '../../access/identify/unique-id.ts';
import type {
  LabelView,
  ManagedPolicyView,
  PolicyVersionView,
} from '../../contract/access-view.ts';
import { onceRead } from '../../coordination/call-attempt.ts';
import { RegistryError } from '../../domain/errors.ts';
import { awsManagedPolicies } from '../../domain/policy/aws-managed-policies.ts';
import type { AwsManagedPolicy } from '../../domain/policy/aws-managed-policies.ts';
import type { IdentityAction } from '../../domain/policy/identity-action.ts';
import { identityActions } from '../../domain/policy/identity-action.ts';
import {
  awsAccount,
  managedPolicyArn,
  parseManagedPolicyArn,
  parseVersionId,
  versionId,
} from '../../domain/policy/managed-policy.ts';
import type { ManagedPolicyName } from '../../domain/policy/managed-policy.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type {
  ManagedPolicyRow,
  PolicyVersionRow,
} from '../../metadata/contract/managed-policies.ts';
import { isoTime } from '../page.ts';
import type { AccountInput, Places } from '../places.ts';

interface ArnInput {
  readonly arn: string;
}

interface VersionInput extends ArnInput {
  /** `v3`. */
  readonly version: string;
}

/** Policies that stand for themselves: an account's own, and AWS's, which nobody changes. Each throws `RegistryError`. */
export interface ManagedPolicyOperations {
  createPolicy(
    asker: Asker,
    input: AccountInput & {
      readonly name: string;
      readonly path?: string | undefined;
      readonly description?: string | undefined;
      readonly policy: string;
      readonly tags?: readonly LabelView[] | undefined;
    },
  ): Promise<ManagedPolicyView>;
  getPolicy(asker: Asker, input: ArnInput): Promise<ManagedPolicyView>;
  /** Without their tags; the account's own first. */
  listPolicies(
    asker: Asker,
    input: AccountInput & {
      readonly scope: 'all' | 'own' | 'aws';
      readonly onlyAttached: boolean;
      readonly pathPrefix: string;
    },
  ): Promise<readonly ManagedPolicyView[]>;
  /** `conflict` where it is attached, or has more than one version. */
  deletePolicy(asker: Asker, input: ArnInput): Promise<void>;

  listVersions(asker: Asker, input: ArnInput): Promise<readonly PolicyVersionView[]>;
  getVersion(asker: Asker, input: VersionInput): Promise<PolicyVersionView>;
  createVersion(
    asker: Asker,
    input: ArnInput & { readonly policy: string; readonly asDefault: boolean },
  ): Promise<PolicyVersionView>;
  deleteVersion(asker: Asker, input: VersionInput): Promise<void>;
  setDefaultVersion(asker: Asker, input: VersionInput): Promise<void>;

  policyTags(asker: Asker, input: ArnInput): Promise<readonly LabelView[]>;
  tagPolicy(asker: Asker, input: ArnInput & { readonly tags: readonly LabelView[] }): Promise<void>;
  /** Keys that are not there are passed over. */
  untagPolicy(asker: Asker, input: ArnInput & { readonly keys: readonly string[] }): Promise<void>;
}

export interface ManagedPoliciesParts {
  readonly admission: Pick<Admission, 'requireIdentity'>;
  readonly places: Pick<Places, 'accountOf'>;
  readonly metadata: Pick<Metadata, 'managedPolicies'>;
  readonly managedPolicies: ManagedPolicies;
}

export function createManagedPolicyOperations(
  parts: ManagedPoliciesParts,
): ManagedPolicyOperations {
  return { ...policyViews(parts), ...policyChanges(parts), ...versions(parts), ...tags(parts) };
}

/** The policy that an ARN means, once the asker may; whether it is there is another question. */
export async function admitPolicy(
  { admission, places }: Pick<ManagedPoliciesParts, 'admission' | 'places'>,
  asker: Asker,
  action: IdentityAction,
  arn: string,
): Promise<ManagedPolicyName> {
  const policy = readPolicyArn(arn);
  const account = policy.account === awsAccount ? places.accountOf({}, asker) : policy.account;
  await admission.requireIdentity(asker, action, { account, arn });
  return policy;
}

/** The same of one that is to be changed, which is nobody's right of AWS's. */
async function admitChange(
  parts: ManagedPoliciesParts,
  asker: Asker,
  action: IdentityAction,
  arn: string,
): Promise<ManagedPolicyName> {
  const policy = await admitPolicy(parts, asker, action, arn);
  if (policy.account === awsAccount)
    throw new RegistryError('denied', `${action} is not allowed on ${arn}: it is AWS's own`);
  await onceRead('policy', async () => (await ownPolicy(parts, policy)).name);
  return policy;
}

/** Throws `requestInvalid`. */
export function readPolicyArn(arn: string): ManagedPolicyName {
  const policy = parseManagedPolicyArn(arn);
  if (policy !== undefined) return policy;
  throw new RegistryError('requestInvalid', `ARN ${arn.slice(0, 256)} is not valid.`, {
    kind: 'policyArnInvalid',
    detail: { field: 'arn', hint: 'write arn:aws:iam::<account, or aws>:policy/<name>' },
  });
}

/** Its path is a part of its name in an ARN. */
async function ownPolicy(
  { metadata }: Pick<ManagedPoliciesParts, 'metadata'>,
  policy: ManagedPolicyName,
): Promise<ManagedPolicyRow> {
  const row = await metadata.managedPolicies.findManagedPolicy(policy);
  if (row === undefined || row.path !== policy.path) throw unknownPolicy(policy);
  return row;
}

/** Of AWS's, that it is known here. */
export async function requireThere(
  parts: Pick<ManagedPoliciesParts, 'metadata'>,
  policy: ManagedPolicyName,
): Promise<void> {
  if (policy.account !== awsAccount) await ownPolicy(parts, policy);
  else if (!awsManagedPolicies.has(managedPolicyArn(policy))) throw unknownPolicy(policy);
}

/** That it is there and may be attached to principals of the account. */
export async function requireAttachable(
  { metadata }: Pick<ManagedPoliciesParts, 'metadata'>,
  policy: ManagedPolicyName,
  account: string,
): Promise<void> {
  if (policy.account === awsAccount) {
    if (!awsManagedPolicies.has(managedPolicyArn(policy))) throw notAttachable(policy);
    return;
  }
  const row = await metadata.managedPolicies.findManagedPolicy(policy);
  if (row?.path !== policy.path || policy.account !== account) throw notAttachable(policy);
}

function policyViews(parts: ManagedPoliciesParts) {
  const { admission, places, metadata } = parts;
  const counts = async (account: string): Promise<(stored: string) => number> => {
    const rows = await metadata.managedPolicies.countAttachments(account);
    const all = new Map(rows.map(({ policy, count }) => [policy, count]));
    return (stored) => all.get(stored) ?? 0;
  };
  return {
    getPolicy: async (asker, { arn }) => {
      const policy = await admitPolicy(parts, asker, identityActions.getPolicy, arn);
      if (policy.account !== awsAccount) {
        const row = await ownPolicy(parts, policy);
        return viewOwn(row, (await counts(row.account))(row.name));
      }
      const aws = awsManagedPolicies.get(arn);
      if (aws === undefined) throw unknownPolicy(policy);
      return viewAws(aws, (await counts(places.accountOf({}, asker)))(arn));
    },
    listPolicies: async (asker, { scope, onlyAttached, pathPrefix, ...input }) => {
      const account = places.accountOf(input, asker);
      await admission.requireIdentity(asker, identityActions.listPolicies, { account, arn: '*' });
      const own =
        scope === 'aws' ? [] : await metadata.managedPolicies.listManagedPolicies(account);
      const count = await counts(account);
      const all = [
        ...own.map((row) => ({ ...viewOwn(row, count(row.name)), tags: [] })),
        ...(scope === 'own' ? [] : awsManagedPolicies.values()).map((each) =>
          viewAws(each, count(each.arn)),
        ),
      ];
      return all.filter(
        ({ path, attachments }) =>
          path.startsWith(pathPrefix) && (attachments > 0 || !onlyAttached),
      );
    },
  } satisfies Partial<ManagedPolicyOperations>;
}

function policyChanges(parts: ManagedPoliciesParts) {
  const { admission, places, managedPolicies } = parts;
  return {
    createPolicy: async (asker, { name, path = '/', description = '', tags = [], ...input }) => {
      const account = places.accountOf(input, asker);
      const arn = managedPolicyArn({ account, path, name });
      const { path: read } = readPolicyArn(arn);
      await admission.requireIdentity(asker, identityActions.createPolicy, { account, arn });
      if (tags.length > 0)
        await admission.requireIdentity(asker, identityActions.tagPolicy, { account, arn });
      const wanted = { account, path: read, name, description, text: input.policy, tags };
      return viewOwn(await managedPolicies.createPolicy(wanted, asker), 0);
    },
    deletePolicy: async (asker, { arn }) => {
      const policy = await admitChange(parts, asker, identityActions.deletePolicy, arn);
      await managedPolicies.deletePolicy(policy, asker);
    },
  } satisfies Partial<ManagedPolicyOperations>;
}

function versions(parts: ManagedPoliciesParts) {
  const { managedPolicies } = parts;
  return {
    listVersions: async (asker, { arn }) => {
      const policy = await admitPolicy(parts, asker, identityActions.listPolicyVersions, arn);
      return versionsOf(parts, policy);
    },
    getVersion: async (asker, { arn, version }) => {
      const policy = await admitPolicy(parts, asker, identityActions.getPolicyVersion, arn);
      const found = (await versionsOf(parts, policy)).find((each) => each.version === version);
      if (found === undefined) throw unknownVersion(policy, version);
      return found;
    },
    createVersion: async (asker, { arn, policy: text, asDefault }) => {
      const policy = await admitChange(parts, asker, identityActions.createPolicyVersion, arn);
      const number = await managedPolicies.createVersion(policy, { text, asDefault }, asker);
      const made = (await versionsOf(parts, policy)).find(
        ({ version }) => version === versionId(number),
      );
      if (made === undefined) throw unknownVersion(policy, versionId(number));
      return made;
    },
    deleteVersion: async (asker, { arn, version }) => {
      const policy = await admitChange(parts, asker, identityActions.deletePolicyVersion, arn);
      await managedPolicies.deleteVersion(policy, numberOf(policy, version), asker);
    },
    setDefaultVersion: async (asker, { arn, version }) => {
      const policy = await admitChange(parts, asker, identityActions.setDefaultPolicyVersion, arn);
      await managedPolicies.setDefaultVersion(policy, numberOf(policy, version), asker);
    },
  } satisfies Partial<ManagedPolicyOperations>;
}

function numberOf(policy: ManagedPolicyName, id: string): number {
  const version = parseVersionId(id);
  if (version === undefined) throw unknownVersion(policy, id);
  return version;
}

/** The newest first; of AWS's the one that counts. */
async function versionsOf(
  parts: ManagedPoliciesParts,
  policy: ManagedPolicyName,
): Promise<readonly PolicyVersionView[]> {
  if (policy.account === awsAccount) {
    const aws = awsManagedPolicies.get(managedPolicyArn(policy));
    if (aws === undefined) throw unknownPolicy(policy);
    const { version, text, updatedAt } = aws;
    return [viewVersion({ version, text, createdAt: updatedAt }, version)];
  }
  const { defaultVersion } = await ownPolicy(parts, policy);
  const rows = await parts.metadata.managedPolicies.listPolicyVersions(policy);
  return rows.map((row) => viewVersion(row, defaultVersion)).toReversed();
}

function tags(parts: ManagedPoliciesParts) {
  const { managedPolicies } = parts;
  return {
    policyTags: async (asker, { arn }) => {
      const policy = await admitPolicy(parts, asker, identityActions.listPolicyTags, arn);
      if (policy.account !== awsAccount) return (await ownPolicy(parts, policy)).tags ?? [];
      if (!awsManagedPolicies.has(arn)) throw unknownPolicy(policy);
      return [];
    },
    tagPolicy: async (asker, { arn, tags: set }) => {
      const policy = await admitChange(parts, asker, identityActions.tagPolicy, arn);
      await managedPolicies.changeTags(policy, { remove: [], set }, asker);
    },
    untagPolicy: async (asker, { arn, keys: remove }) => {
      const policy = await admitChange(parts, asker, identityActions.untagPolicy, arn);
      await managedPolicies.changeTags(policy, { remove, set: [] }, asker);
    },
  } satisfies Partial<ManagedPolicyOperations>;
}

function viewOwn(row: ManagedPolicyRow, attachments: number): ManagedPolicyView {
  const { account, path, name, description, createdAt, updatedAt, tags: labels = [] } = row;
  return {
    arn: managedPolicyArn(row),
    name,
    path,
    id: uniqueId('ANPA', { account, name, madeAt: createdAt }),
    description,
    defaultVersion: versionId(row.defaultVersion),
    attachments,
    tags: labels,
    createdAt: isoTime(createdAt),
    updatedAt: isoTime(updatedAt),
  };
}

function viewAws(aws: AwsManagedPolicy, attachments: number): ManagedPolicyView {
  const { version, text: _text, ...rest } = aws;
  return viewOwn({ ...rest, account: awsAccount, defaultVersion: version }, attachments);
}

function viewVersion(
  { version, text, createdAt }: PolicyVersionRow,
  defaultVersion: number,
): PolicyVersionView {
  return {
    version: versionId(version),
    isDefault: version === defaultVersion,
    policy: text,
    createdAt: isoTime(createdAt),
  };
}
