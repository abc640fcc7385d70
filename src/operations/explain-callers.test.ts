import { deepEqual, equal, match } from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { testRule } from '../../tests/support/rigs/cache-rig.ts';
import { openApi } from '../../tests/support/rigs/api-rig.ts';
import type { Caller } from '../access/access.ts';
import { createAuthorizer } from '../access/authorize/authorizer.ts';
import type { Explain } from '../cache/explain/explain.ts';
import type { Explanation } from '../contract/explanation.ts';
import { homeRegistry } from '../../tests/support/samples/home-registry.ts';
import { createRuleSet } from '../domain/rules/rule-set.ts';
import { createExplainFor } from './explain-callers.ts';
import type { ExplainFor } from './explain-callers.ts';
import { createTestInvalidations } from '../../tests/support/rigs/invalidations.ts';

const found = {
  repository: 'up/app',
  reference: '1',
  rule: { prefix: 'up' },
  content: { state: 'absent' },
  stopped: null,
  tag: null,
  verdict: { code: 'fetch', text: 'fetched and kept' },
} as unknown as Explanation;

const policy = JSON.stringify({
  Version: '2012-10-17',
  Statement: {
    Effect: 'Allow',
    Action: ['ecr:BatchImportUpstreamImage', 'ecr:CreateRepository'],
    Resource: '*',
    Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } },
  },
});
const trustPolicy = JSON.stringify({
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Principal: '*', Action: 'sts:AssumeRole' },
});
const ann: Caller = {
  principal: { kind: 'user', account: '000000000000', name: 'ann' },
  via: 'key',
  scopes: undefined,
};

function createExplain(anonymousImport: boolean | 'loopback', explain?: Explain): ExplainFor {
  const metadata = {
    repositories: { findRepository: () => Promise.resolve(undefined) },
    managedPolicies: { listAttachedPolicies: async () => [] },
    identities: {
      findRegistryPolicy: () => Promise.resolve(undefined),
      listIdentityPolicies: () =>
        Promise.resolve([
          { account: '000000000000', principal: 'ann', name: 'p', text: policy, updatedAt: 0 },
        ]),
    },
  };
  return createExplainFor({
    explain: explain ?? (() => Promise.resolve(found)),
    authorizer: createAuthorizer({
      metadata,
      clock: createFakeClock(),
      invalidations: createTestInvalidations(),
      audit: { record: () => {} },
      settings: () => ({ anonymousPull: true, anonymousImport, regions: ['us-east-1'] }),
    }),
    metadata,
    rules: () => createRuleSet([testRule()]),
    home: () => homeRegistry,
  });
}

const signal = new AbortController().signal;
const asked = { image: 'up/app:1', probe: false };

suite('explain says for whom', () => {
  for (const [setting, statuses] of [
    ['loopback', [200, 401]],
    [true, [200, 200]],
    [false, [401, 401]],
  ] as const)
    test(`without being told, for anonymous here and elsewhere: anonymousImport ${setting}`, async () => {
      const { callers = [] } = await createExplain(setting)(asked, signal);
      deepEqual(
        callers.map(({ as, from, status }) => [as, from, status]),
        [
          ['anonymous', 'this machine', statuses[0]],
          ['anonymous', 'another machine', statuses[1]],
        ],
      );
    });

  for (const [from, status] of [
    ['127.0.0.1', 200],
    ['::1', 200],
    ['192.0.2.7', 401],
  ] as const)
    test(`for anonymous at ${from}, and the verdict is theirs`, async () => {
      const { callers, verdict } = await createExplain('loopback')({ ...asked, from }, signal);
      deepEqual(
        callers?.map((each) => [each.from, each.status]),
        [[from, status]],
      );
      equal(verdict.code, status === 200 ? 'fetch' : 'refused');
    });

  for (const [from, status] of [
    ['10.1.2.3', 200],
    ['192.0.2.7', 404],
  ] as const)
    test(`for a user at ${from}, by the policy’s addresses`, async () => {
      const { callers } = await createExplain(false)({ ...asked, as: ann, from }, signal);
      deepEqual(
        callers?.map((each) => [each.as, each.status]),
        [['arn:aws:iam::000000000000:user/ann', status]],
      );
    });

  for (const [code, status] of [
    ['upstreamMissing', 404],
    ['upstreamDenied', 403],
    ['rateLimited', 429],
    ['unavailable', 503],
    ['upstreamTimeout', 504],
    ['upstreamInvalid', 502],
  ] as const)
    test(`with the status of what upstream said: ${code} ${status}; who may not import is told of that`, async () => {
      const verdict = { code, text: 'answered so' };
      const explain: Explain = () => Promise.resolve({ ...found, verdict });
      const { callers } = await createExplain('loopback', explain)(asked, signal);
      deepEqual(
        callers?.map((each) => each.status),
        [status, 401],
      );
    });

  test('the cache is asked about the image alone', async () => {
    const requests: unknown[] = [];
    const explain: Explain = (request) => {
      requests.push(request);
      return Promise.resolve(found);
    };
    await createExplain(true, explain)({ ...asked, as: ann, from: '10.0.0.1' }, signal);
    deepEqual(requests, [asked]);
  });
});

suite('GET explain', () => {
  for (const [name, query, as, from] of [
    [
      'anonymous at an address',
      { as: 'anonymous', from: '192.0.2.7' },
      { kind: 'anonymous' },
      '192.0.2.7',
    ],
    ['a user', { as: 'ann' }, ann.principal, undefined],
    [
      'any session of a role',
      { as: 'role/ci' },
      { kind: 'role', account: '000000000000', name: 'ci', path: '/' },
      undefined,
    ],
    [
      'one session of a role',
      { as: `arn:aws:sts::000000000000:assumed-role/ci/build` },
      { kind: 'role', account: '000000000000', name: 'ci', path: '/', session: 'build' },
      undefined,
    ],
    ['root', { as: 'root' }, { kind: 'administrator', account: '000000000000' }, undefined],
  ] as const)
    test(`takes ${name}`, async () => {
      await using api = await openApi();
      await api.ask('POST users', { body: { name: 'ann' } });
      await api.ask('POST roles', { body: { name: 'ci', trustPolicy } });
      const { json } = await api.ask('GET explain', { query: { image: 'up/app', ...query } });
      const said = json as { readonly as: Caller; readonly from: unknown };
      deepEqual([said.as.principal, said.from], [as, from]);
    });

  for (const [name, query, status, words] of [
    ['a user who is not there', { as: 'eve' }, 404, /eve/],
    ['what is no name', { as: 'a b' }, 400, /not a principal/],
    ['what is no address', { from: 'node-7' }, 400, /must be an IP address/],
  ] as const)
    test(`refuses ${name}`, async () => {
      await using api = await openApi();
      const { json, ...answer } = await api.ask('GET explain', {
        query: { image: 'up/app', ...query },
      });
      equal(answer.status, status);
      match(JSON.stringify(json), words);
    });
});
