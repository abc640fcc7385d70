import * as z from 'zod';
import { RegistryError } from '../../domain/errors.ts';
import type { Incoming } from '../../http/reply.ts';

/** Bytes of a request's JSON body. */
export const bodyBytesMax: number = 1024 * 1024;

/** The longest image name that is looked at; the domain's own bound is no larger. */
const imageCharactersMax = 1024;

const image = z.string().min(1, 'is empty').max(imageCharactersMax, 'is too long');
const flag = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .transform((text) => text === 'true');

interface Inputs {
  readonly nothing: z.ZodType<Record<string, never>>;
  readonly explain: z.ZodType<{ readonly image: string; readonly probe: boolean }>;
  readonly refresh: z.ZodType<{ readonly image: string }>;
  readonly verify: z.ZodType<{ readonly prefix?: string | undefined }>;
  readonly pulls: z.ZodType<{ readonly limit: number }>;
}

/** What each endpoint takes; an unknown field is an error. */
export const inputs: Inputs = {
  nothing: z.strictObject({}),
  explain: z.strictObject({ image, probe: flag.default(false) }),
  refresh: z.strictObject({ image }),
  verify: z.strictObject({ prefix: z.string().min(1).max(255).optional() }),
  pulls: z.strictObject({
    limit: z.coerce
      .number({ error: 'must be a whole number from 1 to 1000' })
      .int()
      .min(1)
      .max(1000)
      .default(100),
  }),
};

/** The query as an input; throws `requestInvalid` naming each wrong field. */
export function readQuery<T>(request: Incoming, schema: z.ZodType<T>): T {
  return check(schema, Object.fromEntries(new URLSearchParams(request.query)));
}

/** The JSON body as an input; an empty one is `{}`. Throws `requestInvalid` or `requestTooLarge`. */
export async function readJson<T>(request: Incoming, schema: z.ZodType<T>): Promise<T> {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json')
    throw new RegistryError('requestInvalid', 'the body must be application/json', {
      detail: { hint: 'send Content-Type: application/json' },
    });
  const bytes = await request.readBody(bodyBytesMax);
  return check(schema, bytes.byteLength === 0 ? {} : parseJson(bytes));
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch (error) {
    throw new RegistryError('requestInvalid', 'the body is not JSON', { cause: error });
  }
}

function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors = result.error.issues.slice(0, 20).map((issue) => ({
    field: issue.path.join('.').slice(0, 100),
    message: issue.message.slice(0, 200),
  }));
  const first = errors[0];
  const message = first?.field ? `${first.field}: ${first.message}` : first?.message;
  throw new RegistryError('requestInvalid', message ?? 'invalid input', { detail: { errors } });
}
