import type * as z from 'zod';
import type { Asker as KnownAsker } from '../../access/access.ts';
import type { Principal } from '../../domain/policy/principal.ts';
import type { Incoming } from '../../http/reply.ts';
import { readJson, readQuery } from './input.ts';

/** Anonymous never gets as far as an endpoint. */
export type KnownPrincipal = Exclude<Principal, { readonly kind: 'anonymous' }>;

/** Who asks an endpoint, and from where. */
export interface Asker extends KnownAsker {
  readonly principal: KnownPrincipal;
}

export interface Asked<Input> extends Asker {
  readonly input: Input;
  readonly request: Incoming;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** One method of one path; the table of them is what is routed and what the OpenAPI document says. */
export interface Endpoint {
  readonly method: Method;
  /** Below `/api/v1/`; names are parameters, never parts of it, since repositories have slashes. */
  readonly path: string;
  readonly summary: string;
  /** For the home account's administrator alone. */
  readonly operator: boolean;
  /** GET and DELETE take a query, the others a JSON body. */
  readonly input: z.ZodType;
  /** Absent where nothing is answered: 204. */
  readonly output: z.ZodType | undefined;
  readonly status: 200 | 201 | 204;
  readonly answer: (request: Incoming, asker: Asker) => Promise<unknown>;
}

/** An endpoint whose input is read, and whose answer has the type of its schema. */
export function endpoint<Input, Output>(
  row: Omit<Endpoint, 'answer' | 'status' | 'operator' | 'input' | 'output'> & {
    readonly operator?: boolean;
    readonly created?: boolean;
    readonly input: z.ZodType<Input>;
    readonly output: z.ZodType<Output> | undefined;
    readonly answer: (asked: Asked<Input>) => Promise<Output>;
  },
): Endpoint {
  const { input: schema, output, answer, created = false, operator = false, ...rest } = row;
  const inQuery = row.method === 'GET' || row.method === 'DELETE';
  return {
    ...rest,
    operator,
    input: schema,
    output,
    status: output === undefined ? 204 : created ? 201 : 200,
    answer: async (request, asker) => {
      const input = inQuery ? readQuery(request, schema) : await readJson(request, schema);
      return answer({ ...asker, request, input });
    },
  };
}
