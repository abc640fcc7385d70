import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod';
import { openApi, otherAccount } from '../../../tests/support/rigs/api-rig.ts';
import { explainedTag, explanation } from '../../../tests/support/samples/explanation.ts';
import { push, pushInput } from '../../../tests/contracts/metadata/samples.ts';
import type { Explanation } from '../../contract/explanation.ts';

const policy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: '*', Action: 'ecr:BatchGetImage' }],
});
const registryPolicy = policy.replace('"Action"', '"Resource":"*","Action"');
const identityPolicy = registryPolicy.replace('"Principal":"*",', '');

const lifecyclePolicy = JSON.stringify({
  rules: [
    {
      rulePriority: 1,
      selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 1 },
      action: { type: 'expire' },
    },
  ],
});

const explained: Explanation = {
  ...explanation,
  upstream: { url: 'https://upstream', mirrors: [], repository: 'a' },
  tag: { ...explainedTag, provenance: 'pushed' },
};

const trustPolicy = JSON.stringify({
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Principal: '*', Action: 'sts:AssumeRole' },
});

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly { readonly name: string }[];
  readonly requestBody?: object;
  readonly responses: Readonly<
    Record<
      string,
      { readonly content?: { readonly 'application/json': { readonly schema: object } } }
    >
  >;
}

const managedPolicy = 'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly';

/** Every endpoint once, in an order in which each finds what it needs. */
const calls: readonly (readonly [endpoint: string, asked?: object])[] = [
  ['GET whoami'],
  ['POST authorization-token'],
  ['POST accounts', { body: { account: otherAccount, name: 'other' } }],
  ['GET accounts'],
  ['POST users', { body: { name: 'ann' } }],
  ['GET users'],
  ['POST access-keys', { body: { user: 'ann' } }],
  ['GET access-keys', { query: { user: 'ann' } }],
  ['POST access-keys/rotate', { body: { user: 'ann' } }],
  ['DELETE access-keys', { query: { user: 'ann', id: '<accessKeyId>' } }],
  ['POST tokens', { body: { user: 'ann', name: 't', scopes: ['repository:*:pull'] } }],
  ['GET tokens', { query: { user: 'ann' } }],
  ['DELETE tokens', { query: { user: 'ann', name: 't' } }],
  ['POST policies/validate', { body: { kind: 'identity', policy: '{}' } }],
  ['PUT identity-policies', { body: { user: 'ann', name: 'p', policy: identityPolicy } }],
  ['GET identity-policies', { query: { user: 'ann' } }],
  ['DELETE identity-policies', { query: { user: 'ann', name: 'p' } }],
  ['PUT attached-policies', { body: { user: 'ann', arn: managedPolicy } }],
  ['GET attached-policies', { query: { user: 'ann' } }],
  ['DELETE attached-policies', { query: { user: 'ann', arn: managedPolicy } }],
  ['POST roles', { body: { name: 'ci', trustPolicy } }],
  ['GET roles'],
  ['PATCH role', { body: { name: 'ci', description: 'x' } }],
  ['GET role', { query: { name: 'ci' } }],
  ['DELETE roles', { query: { name: 'ci' } }],
  ['POST repositories', { body: { repository: 'team/app' } }],
  [
    'PATCH repositories',
    { body: { repository: 'team/app', tagMutability: { mode: 'IMMUTABLE' } } },
  ],
  ['GET repositories'],
  ['GET repository', { query: { repository: 'team/app' } }],
  ['POST repositories/apply-template', { body: { prefix: 'team', dryRun: true } }],
  ['POST repositories/clean-up', { body: { prefix: 'team', dryRun: true } }],
  ['PUT repository-policy', { body: { repository: 'team/app', policy } }],
  ['GET repository-policy', { query: { repository: 'team/app' } }],
  ['DELETE repository-policy', { query: { repository: 'team/app' } }],
  ['POST lifecycle-policies/check', { body: { policy: lifecyclePolicy } }],
  ['PUT lifecycle-policy', { body: { repository: 'team/app', policy: lifecyclePolicy } }],
  ['GET lifecycle-policy', { query: { repository: 'team/app' } }],
  ['DELETE lifecycle-policy', { query: { repository: 'team/app' } }],
  ['POST lifecycle-preview', { body: { repository: 'up/a', policy: lifecyclePolicy } }],
  ['GET lifecycle-preview', { query: { repository: 'up/a' } }],
  ['POST lifecycle-policies/explain', { body: { repository: 'up/a', policy: lifecyclePolicy } }],
  ['PUT registry-policy', { body: { policy: registryPolicy } }],
  ['GET registry-policy'],
  ['DELETE registry-policy'],
  ['GET tags', { query: { repository: 'up/a' } }],
  ['GET images', { query: { repository: 'up/a' } }],
  ['GET image', { query: { repository: 'up/a', reference: '1' } }],
  ['DELETE tags', { query: { repository: 'up/a', tag: '1' } }],
  ['DELETE image', { query: { repository: 'up/a', reference: '2' } }],
  ['POST access/can', { body: { principal: 'ann', action: 'pull', repository: 'team/app' } }],
  ['GET audit'],
  ['DELETE repositories', { query: { repository: 'team/app' } }],
  ['DELETE users', { query: { name: 'ann' } }],
  ['GET explain', { query: { image: 'up/a:1' } }],
  ['POST refresh', { body: { image: 'up/a:1' } }],
  ['POST rules', { body: { prefix: 'team', upstream: 'quay.io' } }],
  ['GET rules'],
  ['PATCH rules', { body: { prefix: 'team', settings: { push: true } } }],
  ['POST rules/validate', { body: { prefix: 'team' } }],
  ['DELETE rules', { query: { prefix: 'team' } }],
  ['POST rules/verify'],
  ['GET upstreams'],
  ['GET pulls'],
  ['GET keys'],
  ['POST keys/rotate', { body: {} }],
  ['GET version'],
  ['GET openapi.json'],
];

test('every endpoint is in the document, and its answers have the schema that is told there', async () => {
  await using api = await openApi({ explain: () => Promise.resolve(explained) });
  await push(api.metadata, pushInput('up/a', 'an image', { tags: ['1', '2'] }));
  await api.metadata.records.appendAudit([
    {
      at: 1,
      kind: 'change',
      principal: 'p',
      action: 'a',
      resource: '',
      registry: '000000000000/us-east-1',
      outcome: 'allowed',
      address: '',
      requestId: '',
      detail: '{"force":true,"tag":"1","n":1}',
      count: 1,
    },
  ]);
  const { json: document } = await api.ask('GET openapi.json');
  assert.equal(document.openapi, '3.1.0');
  const paths = document.paths as Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  const told = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map(
      (method) => `${method.toUpperCase()} ${path.slice('/api/v1/'.length)}`,
    ),
  );
  assert.deepEqual(told.toSorted(), calls.map(([endpoint]) => endpoint).toSorted());

  const seen = new Map<string, unknown>();
  let accessKeyId = '';
  for (const [endpoint, asked = {}] of calls) {
    const filled = JSON.parse(
      JSON.stringify(asked).replace('<accessKeyId>', accessKeyId),
    ) as object;
    const answer = await api.ask(endpoint, filled);
    if (endpoint === 'POST access-keys') accessKeyId = answer.json.accessKeyId as string;
    const [method = '', path = ''] = endpoint.split(' ');
    const operation = paths[`/api/v1/${path}`]?.[method.toLowerCase()];
    assert.ok(operation !== undefined && operation.summary !== '', endpoint);
    assert.equal(seen.get(operation.operationId), undefined);
    seen.set(operation.operationId, operation);
    const response = operation.responses[String(answer.status)];
    assert.ok(
      response !== undefined,
      `${endpoint} answered ${answer.status}: ${JSON.stringify(answer.json)}`,
    );
    const schema = response.content?.['application/json'].schema;
    if (schema === undefined) assert.equal(answer.json, undefined);
    else {
      const parsed = z
        .fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0])
        .safeParse(answer.json);
      assert.ok(parsed.success, `${endpoint}: ${parsed.error?.message}`);
    }
  }
  assert.deepEqual(api.failures, []);
});

test('a schema that says less than the answer is noticed', () => {
  const schema = z.toJSONSchema(z.strictObject({ a: z.string() }));
  assert.ok(!z.fromJSONSchema(schema).safeParse({ a: 'x', b: 1 }).success);
});
