import * as z from 'zod';
import { tokenLifetime } from '../../access/accounts/identities.ts';
import { RegistryError } from '../../domain/errors.ts';
import { isAccountId, isPrincipalName } from '../../domain/policy/principal.ts';
import { tagMutabilities } from '../../domain/names/tag-mutability.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import type { Incoming } from '../../http/reply.ts';

/** Bytes of a request's JSON body. */
const bodyBytesMax: number = 1024 * 1024;

/** The longest text of a policy is 10,240 characters; what is longer is told so by its parser. */
const policyTextCharactersMax = 100_000;

type Text = z.ZodType<string>;

function text(charactersMax: number): z.ZodString {
  return z.string().min(1, 'is empty').max(charactersMax, 'is too long');
}

/** The fields that several endpoints take. */
const lifetimeError = {
  error: `must be a time from ${tokenLifetime.leastMs / 60_000}m to ${tokenLifetime.mostMs / 86_400_000}d (${tokenLifetime.mostMs / 1000} seconds)`,
};

export const fields: {
  readonly image: Text;
  readonly flag: z.ZodType<boolean>;
  readonly limit: z.ZodType<number>;
  readonly cursor: z.ZodType<string | undefined>;
  readonly account: z.ZodType<string | undefined>;
  readonly region: z.ZodType<string | undefined>;
  readonly user: z.ZodType<string | undefined>;
  readonly name: Text;
  readonly repository: Text;
  readonly reference: Text;
  readonly address: z.ZodType<string | undefined>;
  readonly policy: Text;
  readonly tagMutability: z.ZodType<TagMutability>;
  /** Seconds. */
  readonly lifetime: z.ZodType<number | undefined>;
} = {
  image: text(1024),
  flag: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .default('false')
    .transform((word) => word === 'true'),
  limit: z.coerce
    .number({ error: 'must be a whole number from 1 to 1000' })
    .int()
    .min(1)
    .max(1000)
    .default(100),
  cursor: text(1024).optional(),
  account: z.string().refine(isAccountId, 'must be twelve digits').optional(),
  region: z
    .string()
    .regex(/^[a-z]{2}(?:-[a-z]+)+-\d{1,2}$/, 'must be a region, as us-east-1')
    .optional(),
  user: z.string().refine(isPrincipalName, 'must be the name of a user or robot').optional(),
  name: text(128),
  repository: text(255),
  reference: text(512),
  address: z.union([z.ipv4(), z.ipv6()], { error: 'must be an IP address' }).optional(),
  policy: text(policyTextCharactersMax),
  tagMutability: z.strictObject({
    mode: z.enum(tagMutabilities),
    exclusions: z.array(text(128)).max(5).default([]),
  }),
  lifetime: z
    .int(lifetimeError)
    .min(tokenLifetime.leastMs / 1000, lifetimeError)
    .max(tokenLifetime.mostMs / 1000, lifetimeError)
    .optional(),
};

type Fields = typeof fields;

/** Which page of a list. */
export const pageFields: Pick<Fields, 'limit' | 'cursor'> = {
  limit: fields.limit,
  cursor: fields.cursor,
};

/** Which registry. */
export const registryFields: Pick<Fields, 'account' | 'region'> = {
  account: fields.account,
  region: fields.region,
};

/** Which repository. */
export const repositoryFields: Pick<Fields, 'repository' | 'account' | 'region'> = {
  repository: fields.repository,
  ...registryFields,
};

/** An input without fields. */
export const nothing: z.ZodType<Record<string, never>> = z.strictObject({});

/** The query as an input. */
export function queryOf(request: Incoming): unknown {
  return Object.fromEntries(new URLSearchParams(request.query));
}

/** The JSON body as an input; an empty one is `{}`. Throws `requestInvalid` or `requestTooLarge`. */
export async function readJson(request: Incoming): Promise<unknown> {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json')
    throw new RegistryError('requestInvalid', 'the body must be application/json', {
      detail: { hint: 'send Content-Type: application/json' },
    });
  const bytes = await request.readBody(bodyBytesMax);
  return bytes.byteLength === 0 ? {} : parseJson(bytes);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch (error) {
    throw new RegistryError('requestInvalid', 'the body is not JSON', { cause: error });
  }
}
