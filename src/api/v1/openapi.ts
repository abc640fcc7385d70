import * as z from 'zod';
import type { Endpoint } from './endpoint.ts';

type Json = Readonly<Record<string, unknown>>;

const problem: z.ZodType = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  requestId: z.string(),
  hint: z.string().optional(),
  errors: z.array(z.strictObject({ field: z.string(), message: z.string() })).optional(),
  cause: z.record(z.string(), z.unknown()).optional(),
});

/** The OpenAPI 3.1 document of the endpoints, made of the schemas that read their inputs and type their answers. */
export function openApiOf(endpoints: readonly Endpoint[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const each of endpoints) {
    const path = (paths[`/api/v1/${each.path}`] ??= {});
    path[each.method.toLowerCase()] = operationOf(each);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Breakwater',
      version,
      description:
        'Errors are problems (RFC 9457). Lists are pages: send `next` as `cursor` until it is null.',
    },
    security: [{ basic: [] }, { bearer: [] }],
    paths,
    components: {
      securitySchemes: {
        basic: { type: 'http', scheme: 'basic', description: 'An access key and its secret.' },
        bearer: { type: 'http', scheme: 'bearer', description: 'A named token.' },
      },
      schemas: { Problem: schemaOf(problem, 'output') },
    },
  };
}

function operationOf(each: Endpoint): Json {
  const { method, path, summary, operator, inQuery, input, output, status } = each;
  const taken = schemaOf(input, 'input');
  return {
    operationId: `${method.toLowerCase()}-${path.replaceAll('/', '-')}`,
    summary,
    ...(operator ? { description: "For the home account's administrator alone." } : {}),
    ...(inQuery
      ? { parameters: parametersOf(taken) }
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: taken } },
          },
        }),
    responses: {
      [String(status)]:
        output === undefined
          ? { description: 'Done.' }
          : {
              description: 'The answer.',
              content: { 'application/json': { schema: schemaOf(output, 'output') } },
            },
      default: {
        description: 'What went wrong.',
        content: {
          'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
        },
      },
    },
  };
}

function parametersOf(schema: Json): readonly Json[] {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Json>>;
  const required = (schema['required'] ?? []) as readonly string[];
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema: property,
  }));
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest as Json;
}
