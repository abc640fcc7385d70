import * as z from 'zod';
import type { KeysView, KeyView, RotationView, SealedCount } from './keys-view.ts';

const count = z.int().min(0);
const time = z.iso.datetime();

const sealed: z.ZodType<SealedCount> = z.strictObject({
  id: z.string(),
  accessKeys: count,
  secretValues: count,
});

const key: z.ZodType<KeyView> = z.strictObject({
  id: z.string(),
  accessKeys: count,
  secretValues: count,
  source: z.string(),
  seals: z.boolean(),
  createdAt: time.nullable(),
  supersededAt: time.nullable(),
});

const rotation: z.ZodType<RotationView> = z.strictObject({
  phase: z.enum(['settling', 'sealing', 'done', 'failed']),
  startedAt: time,
  endedAt: time.nullable(),
  key: z.string().nullable(),
  madeKey: z.boolean(),
  resealed: count,
  unopened: count,
  unopenedNames: z.array(z.string()),
  problem: z.string().nullable(),
});

export const keys: z.ZodType<KeysView> = z.strictObject({
  from: z.array(z.string()),
  keys: z.array(key),
  missing: z.array(sealed),
  rotation: rotation.nullable(),
});
