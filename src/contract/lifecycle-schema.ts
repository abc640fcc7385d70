import * as z from 'zod';
import type {
  LifecycleCheckView,
  LifecycleExplanationView,
  LifecyclePolicyView,
  LifecyclePreviewView,
} from './lifecycle-view.ts';

const text = z.string();
const time = z.iso.datetime();
const count = z.int().min(0);

export const lifecyclePolicy: z.ZodType<LifecyclePolicyView> = z.strictObject({
  account: text,
  repository: text,
  policy: text,
  lastEvaluatedAt: time.nullable(),
});

export const lifecycleCheck: z.ZodType<LifecycleCheckView> = z.strictObject({
  valid: z.boolean(),
  problems: z.array(z.strictObject({ field: text, what: text, fix: text })),
  rules: z.array(
    z.strictObject({
      priority: count,
      description: text.nullable(),
      meaning: text,
      warnings: z.array(text),
    }),
  ),
});

const image = { digest: text, tags: z.array(text), pushedAt: time };

export const lifecyclePreview: z.ZodType<LifecyclePreviewView> = z.strictObject({
  account: text,
  repository: text,
  policy: text,
  status: z.enum(['inProgress', 'complete', 'failed', 'expired']),
  startedAt: time,
  expiring: count,
  transitioning: count,
  items: z.array(
    z.strictObject({
      ...image,
      priority: count,
      action: z.enum(['expire', 'transition']),
      storageClass: z.enum(['standard', 'archive']),
    }),
  ),
  next: text.nullable(),
});

export const lifecycleExplanation: z.ZodType<LifecycleExplanationView> = z.strictObject({
  ...image,
  fate: z.enum(['expire', 'transition', 'keep']),
  priority: count.nullable(),
  because: text,
});
