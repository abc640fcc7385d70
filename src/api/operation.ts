import type * as z from 'zod';
import type { Asker } from '../access/access.ts';
import type { Admission } from '../access/admission/admission.ts';
import { RegistryError } from '../domain/errors.ts';

/** Who asks an operation, and how they are answered. */
export interface Asking extends Asker {
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
  /** Scheme, host and port at which the client asked, without a trailing slash. */
  readonly origin: string;
}

/**
 * One operation as a front-end offers it: its input is read by a schema, its answer has the type of another. How it is named on the
 * wire, by a path or by a header, is the front-end's.
 */
export interface Operation {
  readonly summary: string;
  /** For the home account's administrator alone. */
  readonly operator: boolean;
  /** Not by the passwords and tokens that registry clients log in with. */
  readonly changes: boolean;
  readonly input: z.ZodType;
  /** Absent where nothing is answered. */
  readonly output: z.ZodType | undefined;
  /** Throws `requestInvalid`, naming each wrong field, for an input that is not of the schema. */
  readonly answer: (value: unknown, asking: Asking) => Promise<unknown>;
}

export interface OperationRow<Input, Output> {
  readonly summary: string;
  readonly operator?: boolean;
  readonly changes: boolean;
  readonly input: z.ZodType<Input>;
  readonly output: z.ZodType<Output> | undefined;
  readonly answer: (input: Input, asking: Asking) => Output | Promise<Output>;
}

export function operation<Input, Output>(row: OperationRow<Input, Output>): Operation {
  const { input, answer } = row;
  return {
    ...row,
    operator: row.operator ?? false,
    answer: async (value, asking) => answer(readInput(input, value), asking),
  };
}

/** Reads the input only where the kind of credential may ask this at all. `action`: as the audit has it. */
export async function answerOperation(
  { admission, action }: { readonly admission: Admission; readonly action: string },
  asked: Operation,
  asking: Asking,
  read: () => unknown,
): Promise<unknown> {
  admission.requireCredential(asking, action, asked);
  return asked.answer(await read(), asking);
}

const errorsMax = 20;

function readInput<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors = result.error.issues.slice(0, errorsMax).map((issue) => ({
    field: issue.path.join('.').slice(0, 100),
    message: issue.message.slice(0, 200),
  }));
  const first = errors[0];
  const message = first?.field ? `${first.field}: ${first.message}` : first?.message;
  throw new RegistryError('requestInvalid', message ?? 'invalid input', { detail: { errors } });
}
