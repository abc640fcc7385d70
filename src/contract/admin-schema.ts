import * as z from 'zod';
import type {
  DeletedRule,
  PullView,
  Refreshment,
  RuleValidation,
  RuleVerification,
  RuleView,
  UpstreamView,
  VersionView,
} from './admin-view.ts';
import type { Explanation } from './explanation.ts';

const text = z.string();
const time = z.iso.datetime();
const count = z.int().min(0);
const kind = z.enum([
  'notFound',
  'denied',
  'rateLimited',
  'serverError',
  'timeout',
  'network',
  'invalid',
]);
const origin = z.enum(['builtin', 'file', 'api']);
const action = z.enum(['keep', 'stop']);
const failure = z.strictObject({ kind, reason: text, message: text });

export const rule: z.ZodType<RuleView> = z.strictObject({
  prefix: text,
  origin,
  shadowedBy: origin.nullable(),
  upstream: text,
  mirrors: z.array(text),
  upstreamRegistry: text.nullable(),
  upstreamPrefix: text,
  credential: text.nullable(),
  role: text.nullable(),
  anonymousPull: z.boolean(),
  freshForSeconds: z.number(),
  staleBudgetMs: z.number(),
  onFailure: z.strictObject({
    notFound: action,
    denied: action,
    rateLimited: action,
    serverError: action,
    timeout: action,
    network: action,
  }),
  platforms: z.array(text),
  push: z.boolean(),
  allow: z.array(text),
  deny: z.array(text),
  state: z.enum(['ok', 'unknown', 'failing', 'breakerOpen', 'rateLimited']),
  problem: text.nullable(),
  createdAt: time.nullable(),
  updatedAt: time.nullable(),
});

export const ruleValidation: z.ZodType<RuleValidation> = z.strictObject({
  prefix: text,
  valid: z.boolean(),
  failure: text.nullable(),
});

export const deletedRule: z.ZodType<DeletedRule> = z.strictObject({
  prefix: text,
  restored: origin.nullable(),
});

export const verification: z.ZodType<RuleVerification> = z.strictObject({
  prefix: text,
  url: text,
  ok: z.boolean(),
  durationMs: z.number(),
  failure: failure.nullable(),
});

const limiterFields = {
  upstream: text,
  breaker: z.enum(['closed', 'open', 'half-open']),
  restsUntil: time.nullable(),
  heldUntil: time.nullable(),
  lastSuccessAt: time.nullable(),
  lastFailure: z.strictObject({ at: time, message: text }).nullable(),
  limit: z
    .strictObject({
      limit: z.number(),
      remaining: z.number(),
      windowSeconds: z.number(),
      account: text,
      resetAt: time.nullable(),
      observedAt: time,
    })
    .nullable(),
};

export const upstream: z.ZodType<UpstreamView> = z.strictObject({
  ...limiterFields,
  state: z.enum(['ok', 'unknown', 'failing', 'breakerOpen', 'rateLimited']),
  rules: z.array(text),
});

export const pull: z.ZodType<PullView> = z.strictObject({
  hour: time,
  clientAddress: text,
  ns: text,
  image: text,
  digest: text.nullable(),
  verdict: text,
  count,
  lastAt: time,
});

export const refreshment: z.ZodType<Refreshment> = z.strictObject({
  image: text,
  repository: text,
  tag: text,
  before: text.nullable(),
  after: text,
  changed: z.boolean(),
});

export const version: z.ZodType<VersionView> = z.strictObject({ version: text, node: text });

const state = z.enum(['complete', 'partial', 'absent']);
const amounts = z.strictObject({ manifests: count, blobs: count });

export const explanation: z.ZodType<Explanation> = z.strictObject({
  image: text,
  repository: text,
  reference: text,
  rule: z
    .strictObject({
      prefix: text,
      origin,
      credential: text.nullable(),
      anonymousPull: z.boolean(),
      freshForSeconds: z.number(),
      platforms: text,
    })
    .nullable(),
  upstream: z.strictObject({ url: text, mirrors: z.array(text), repository: text }).nullable(),
  admission: z.strictObject({ allowed: z.boolean(), reason: text }),
  access: z.strictObject({ anonymous: z.boolean(), reason: text }),
  stopped: z.strictObject({ at: time, reason: text }).nullable(),
  lastTry: z.strictObject({ at: time, message: text, nextAt: time.nullable() }).nullable(),
  tag: z
    .strictObject({
      digest: text,
      mediaType: text,
      size: count,
      validatedAt: time,
      freshUntil: time.nullable(),
      fresh: z.boolean(),
      sourceChanged: z.boolean(),
      immutable: z.boolean(),
      status: text,
      provenance: z.enum(['pushed', 'cached', 'replicated']),
      historyCount: count,
    })
    .nullable(),
  content: z.strictObject({
    state,
    digest: text.nullable(),
    mediaType: text.nullable(),
    held: amounts,
    missing: amounts,
    platforms: z.array(z.strictObject({ platform: text, state })),
    examples: z.array(
      z.strictObject({ role: z.enum(['manifest', 'config', 'layer']), digest: text }),
    ),
    truncated: z.boolean(),
  }),
  limiter: z.strictObject(limiterFields).nullable(),
  space: z.strictObject({ freeBytes: count, minFreeBytes: count }).nullable(),
  callers: z.array(z.strictObject({ as: text, from: text, status: z.int(), text })).exactOptional(),
  verdict: z.strictObject({
    code: z.enum([
      'refused',
      'noRule',
      'denied',
      'stopped',
      'hit',
      'hitPartial',
      'revalidate',
      'stale',
      'fetch',
      'rateLimited',
      'unavailable',
      'upstreamMissing',
      'upstreamDenied',
      'upstreamTimeout',
      'upstreamInvalid',
    ]),
    text,
  }),
  probe: z
    .strictObject({
      ok: z.boolean(),
      upstream: text,
      durationMs: z.number(),
      digest: text.nullable(),
      mediaType: text.nullable(),
      failure: failure.nullable(),
    })
    .nullable(),
});
