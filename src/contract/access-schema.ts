import * as z from 'zod';
import type {
  AccessDecisionView,
  AttachedPolicyView,
  AccessKeyView,
  AccountView,
  AppliedTemplateView,
  AuditView,
  AuthorizationTokenView,
  CleanUpView,
  DeletedImageView,
  IdentityPolicyView,
  ImageDetailView,
  ImageView,
  NewAccessKeyView,
  RotatedAccessKeyView,
  NewAccountView,
  NewTokenView,
  PolicyValidation,
  RegistryPolicyView,
  RepositoryMaker,
  RepositoryPolicyView,
  RepositoryView,
  RoleView,
  TagView,
  TokenView,
  UserView,
  WhoamiView,
} from './access-view.ts';
import type { Listing } from './admin-view.ts';
import { tagMutabilities } from '../domain/names/tag-mutability.ts';

const text = z.string();
const time = z.iso.datetime();
const count = z.int().min(0);
const label = z.strictObject({ key: text, value: text });
const provenance = z.enum(['pushed', 'cached', 'replicated']);

/** A page: `next` is the cursor of the following one, `null` at the end. */
export function listOf<Item>(item: z.ZodType<Item>): z.ZodType<Listing<Item>> {
  return z.strictObject({ items: z.array(item), next: text.nullable() });
}

export const whoami: z.ZodType<WhoamiView> = z.strictObject({
  principal: text,
  id: text,
  account: text,
  kind: z.enum(['administrator', 'user', 'robot', 'role']),
  name: text.nullable(),
  via: text,
  scopes: z.array(text).nullable(),
  operator: z.boolean(),
});

export const authorizationToken: z.ZodType<AuthorizationTokenView> = z.strictObject({
  authorizationToken: text,
  expiresAt: time,
  proxyEndpoint: text,
});

const accountFields = { account: text, name: text, createdAt: time };
export const account: z.ZodType<AccountView> = z.strictObject(accountFields);

export const user: z.ZodType<UserView> = z.strictObject({
  account: text,
  name: text,
  arn: text,
  id: text,
  kind: z.enum(['user', 'robot']),
  tags: z.array(label),
  createdAt: time,
});

export const role: z.ZodType<RoleView> = z.strictObject({
  account: text,
  name: text,
  path: text,
  arn: text,
  id: text,
  description: text,
  trustPolicy: text,
  maxSessionSeconds: z.number(),
  tags: z.array(label),
  createdAt: time,
  lastUsedAt: time.nullable(),
});

const keyFields = {
  accessKeyId: text,
  account: text,
  user: text.nullable(),
  active: z.boolean(),
  createdAt: time,
  expiresAt: time.nullable(),
  lastUsedAt: time.nullable(),
};
export const accessKey: z.ZodType<AccessKeyView> = z.strictObject(keyFields);
export const newAccessKey: z.ZodType<NewAccessKeyView> = z.strictObject({
  ...keyFields,
  secretAccessKey: text,
});
export const rotatedAccessKey: z.ZodType<RotatedAccessKeyView> = z.strictObject({
  ...keyFields,
  secretAccessKey: text,
  revoked: z.array(text),
  kept: z.array(text),
  file: text.nullable(),
});
export const newAccount: z.ZodType<NewAccountView> = z.strictObject({
  ...accountFields,
  key: newAccessKey,
});

const tokenFields = {
  name: text,
  account: text,
  user: text.nullable(),
  scopes: z.array(text),
  createdAt: time,
  expiresAt: time.nullable(),
  lastUsedAt: time.nullable(),
};
export const token: z.ZodType<TokenView> = z.strictObject(tokenFields);
export const newToken: z.ZodType<NewTokenView> = z.strictObject({ ...tokenFields, token: text });

export const identityPolicy: z.ZodType<IdentityPolicyView> = z.strictObject({
  account: text,
  user: text.nullable(),
  role: text.nullable(),
  name: text,
  policy: text,
  updatedAt: time,
});
export const attachedPolicy: z.ZodType<AttachedPolicyView> = z.strictObject({
  account: text,
  user: text.nullable(),
  role: text.nullable(),
  arn: text,
  name: text,
  path: text,
});
export const repositoryPolicy: z.ZodType<RepositoryPolicyView> = z.strictObject({
  account: text,
  repository: text,
  policy: text,
});
export const registryPolicy: z.ZodType<RegistryPolicyView> = z.strictObject({
  account: text,
  region: text,
  policy: text,
});
const policyRemark = z.strictObject({ field: text, value: text, what: text, fix: text });
export const policyValidation: z.ZodType<PolicyValidation> = z.strictObject({
  valid: z.boolean(),
  problems: z.array(policyRemark),
  warnings: z.array(policyRemark),
});

const maker: z.ZodType<RepositoryMaker> = z.strictObject({
  by: z.enum(['pull', 'push', 'replication', 'api', 'unknown']),
  template: text.nullable(),
  upstream: text.nullable(),
});

export const cleanUp: z.ZodType<CleanUpView> = z.strictObject({
  items: z.array(
    z.strictObject({
      repository: text,
      madeBy: maker,
      outcome: z.enum(['deleted', 'kept', 'refused']),
      because: text.nullable(),
      bytes: count,
      rule: z.strictObject({ prefix: text, origin: z.enum(['builtin', 'file', 'api']) }).nullable(),
    }),
  ),
  next: text.nullable(),
  bytesFreedWithinSeconds: count,
});

export const appliedTemplate: z.ZodType<AppliedTemplateView> = z.strictObject({
  repository: text,
  template: text.nullable(),
  changes: z.array(
    z.strictObject({
      setting: z.enum(['tagMutability', 'labels', 'lifecyclePolicy', 'policy']),
      before: text.nullable(),
      after: text,
      outcome: z.enum(['applied', 'refused']),
      because: text.nullable(),
    }),
  ),
  notApplied: z.array(z.strictObject({ setting: z.literal('encryption'), because: text })),
});

export const repository: z.ZodType<RepositoryView> = z.strictObject({
  repository: text,
  arn: text,
  account: text,
  region: text,
  createdAt: time,
  rule: text.nullable(),
  private: z.boolean(),
  pushed: z.boolean(),
  madeBy: maker,
  tagMutability: z.strictObject({ mode: z.enum(tagMutabilities), exclusions: z.array(text) }),
  hasPolicy: z.boolean(),
  labels: z.array(label),
  scanOnPush: z.boolean(),
  encryption: z.strictObject({
    type: z.enum(['AES256', 'KMS', 'KMS_DSSE']),
    key: text.nullable(),
  }),
});

export const tag: z.ZodType<TagView> = z.strictObject({
  tag: text,
  digest: text,
  mediaType: text,
  size: count,
  provenance,
  source: text.nullable(),
  validatedAt: time,
  lastPulledAt: time.nullable(),
});

export const image: z.ZodType<ImageView> = z.strictObject({
  digest: text,
  mediaType: text,
  artifactType: text.nullable(),
  size: count,
  tags: z.array(text),
  provenance,
  createdAt: time,
  lastPulledAt: time.nullable(),
  subject: text.nullable(),
});

export const imageDetail: z.ZodType<ImageDetailView> = z.strictObject({
  repository: text,
  digest: text,
  mediaType: text,
  size: count,
  tag: z
    .strictObject({
      name: text,
      provenance,
      source: text.nullable(),
      validatedAt: time,
      history: z.array(z.strictObject({ digest: text, seenAt: time })),
    })
    .nullable(),
  children: z.array(
    z.strictObject({
      role: z.enum(['manifest', 'config', 'layer']),
      digest: text,
      mediaType: text,
      size: count,
      platform: text.nullable(),
    }),
  ),
  referrers: z.array(
    z.strictObject({
      digest: text,
      mediaType: text,
      artifactType: text.nullable(),
      size: count,
    }),
  ),
});

export const deletedImage: z.ZodType<DeletedImageView> = z.strictObject({
  repository: text,
  digest: text,
  tags: z.array(text),
});

export const auditEntry: z.ZodType<AuditView> = z.strictObject({
  id: count,
  at: time,
  kind: text,
  principal: text,
  action: text,
  resource: text,
  registry: text,
  outcome: text,
  address: text,
  requestId: text,
  detail: z.record(text, z.union([text, z.number(), z.boolean()])),
  count,
});

export const accessDecision: z.ZodType<AccessDecisionView> = z.strictObject({
  allowed: z.boolean(),
  because: text,
});
