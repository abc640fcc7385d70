import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { keyOf, manifestInput } from '../../../tests/contracts/metadata/samples.ts';
import { home, openApi } from '../../../tests/support/rigs/api-rig.ts';
import type { ApiRig } from '../../../tests/support/rigs/api-rig.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import type { TemplateSettings } from '../../metadata/contract/templates.ts';

const lifecycle = JSON.stringify({
  rules: [
    {
      rulePriority: 1,
      selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 9 },
      action: { type: 'expire' },
    },
  ],
});
const policy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: '*', Action: 'ecr:BatchGetImage' }],
});
const immutable = { mode: 'IMMUTABLE', exclusions: [] } as const;

async function makeTemplate(
  { metadata }: ApiRig,
  prefix: string,
  settings: Partial<TemplateSettings>,
): Promise<void> {
  const template = {
    registry: homeRegistry,
    prefix,
    settings: { givenPrefix: prefix, appliedFor: ['PULL_THROUGH_CACHE'], ...settings },
    createdAt: 1,
    updatedAt: 1,
  } as const;
  assert.equal(await metadata.templates.createTemplate({ template, templatesMax: 9 }), 'created');
}

/** `k8s/a` and `k8s/deep/b` were pulled, `k8s/made` was made by its name; ann is a user who may nothing. */
async function openWithRepositories(): Promise<ApiRig> {
  const api = await openApi();
  for (const name of ['k8s/a', 'k8s/deep/b', 'k8s-old/c'])
    await api.metadata.manifests.storeManifest(manifestInput(name, name));
  const body = { repository: 'k8s/made' };
  assert.equal((await api.ask('POST repositories', { body })).status, 201);
  await api.ask('POST users', { body: { name: 'ann' } });
  api.audited.length = 0;
  return api;
}

interface Applied {
  readonly repository: string;
  readonly template: string | null;
  readonly changes: readonly { readonly setting: string; readonly outcome: string }[];
  readonly notApplied: readonly object[];
}

async function apply(api: ApiRig, body: object = {}, as = 'admin'): Promise<readonly Applied[]> {
  const asked = { prefix: 'k8s', dryRun: false, ...body };
  const answer = await api.ask('POST repositories/apply-template', { as, body: asked });
  assert.equal(answer.status, 200, JSON.stringify(answer.json));
  return answer.json.items;
}

const lines = (items: readonly Applied[]): readonly string[] =>
  items.map(({ repository, template, changes }) =>
    [repository, template, ...changes.map((each) => `${each.setting} ${each.outcome}`)].join(', '),
  );

suite('a template that is applied', () => {
  test('gives repositories that are there what it says, once, and says what it changes', async () => {
    await using api = await openWithRepositories();
    const tags = [
      { key: 'team', value: 'a' },
      { key: 'cost', value: '1' },
    ];
    await makeTemplate(api, 'k8s', { tagMutability: immutable, tags, lifecycle, policy });
    await api.metadata.repositories.changeRepositoryTags({
      ...keyOf('k8s/a'),
      remove: [],
      set: [
        { key: 'team', value: 'b' },
        { key: 'own', value: 'x' },
      ],
      tagsMax: 9,
    });
    const all = 'tagMutability applied, labels applied, lifecyclePolicy applied, policy applied';
    const expected = [`k8s/a, k8s, ${all}`, `k8s/deep/b, k8s, ${all}`, 'k8s/made, '];
    const foreseen = await apply(api, { dryRun: true });
    assert.deepEqual(lines(foreseen), expected);
    assert.deepEqual(foreseen[0]?.changes.slice(0, 2), [
      {
        setting: 'tagMutability',
        before: 'MUTABLE',
        after: 'IMMUTABLE',
        outcome: 'applied',
        because: null,
      },
      {
        setting: 'labels',
        before: 'team=b',
        after: 'team=a cost=1',
        outcome: 'applied',
        because: null,
      },
    ]);
    assert.equal(api.audited.length, 0);
    const { metadata } = api;
    const before = await metadata.repositories.findRepository(keyOf('k8s/a'));
    assert.deepEqual([before?.tagMutability.mode, before?.policy], ['MUTABLE', undefined]);

    assert.deepEqual(lines(await apply(api)), expected);
    const row = await metadata.repositories.findRepository(keyOf('k8s/a'));
    assert.deepEqual([row?.tagMutability, row?.policy], [immutable, policy]);
    assert.deepEqual(row?.attributes?.tags, [
      { key: 'cost', value: '1' },
      { key: 'own', value: 'x' },
      { key: 'team', value: 'a' },
    ]);
    assert.equal((await metadata.lifecycles.findLifecycle(keyOf('k8s/a')))?.text, lifecycle);
    assert.deepEqual(
      api.audited.map(({ action, resource }) => `${action} ${resource}`).slice(0, 4),
      ['PutImageTagMutability', 'TagResource', 'PutLifecyclePolicy', 'SetRepositoryPolicy'].map(
        (action) => `ecr:${action} k8s/a`,
      ),
    );
    api.audited.length = 0;
    assert.deepEqual(lines(await apply(api)), ['k8s/a, k8s', 'k8s/deep/b, k8s', 'k8s/made, ']);
    assert.equal(api.audited.length, 0);
  });

  test('is the longest that matches and is for what made the repository', async () => {
    await using api = await openWithRepositories();
    const settings = { tagMutability: immutable };
    await makeTemplate(api, 'ROOT', { ...settings, appliedFor: ['CREATE_ON_PUSH'] });
    await makeTemplate(api, 'k8s', settings);
    await makeTemplate(api, 'k8s/deep', {});
    const change = 'tagMutability applied';
    assert.deepEqual(lines(await apply(api)), [
      `k8s/a, k8s, ${change}`,
      'k8s/deep/b, k8s/deep',
      `k8s/made, ROOT, ${change}`,
    ]);
  });

  test('leaves encryption as it is, and says so', async () => {
    await using api = await openWithRepositories();
    await makeTemplate(api, 'k8s', { encryption: { type: 'KMS', key: 'alias/x' } });
    const [first, , third] = await apply(api);
    const because = 'it is chosen as a repository is made: AES256 stays';
    assert.deepEqual(first?.notApplied, [{ setting: 'encryption', because }]);
    assert.deepEqual(third?.notApplied, []);
    await makeTemplate(api, 'k8s/deep', { encryption: { type: 'AES256' } });
    assert.deepEqual((await apply(api))[1]?.notApplied, []);
  });

  for (const dryRun of [true, false])
    test(`changes what its caller may, and tells what it may not${dryRun ? ', before' : ''}`, async () => {
      await using api = await openWithRepositories();
      await makeTemplate(api, 'k8s', { tagMutability: immutable, lifecycle });
      const Statement = [
        { Effect: 'Allow', Action: 'ecr:*', Resource: '*' },
        {
          Effect: 'Deny',
          Action: 'ecr:PutImageTagMutability',
          Resource: `arn:aws:ecr:*:${home}:repository/k8s/a`,
        },
      ];
      const body = {
        user: 'ann',
        name: 'p',
        policy: JSON.stringify({ Version: '2012-10-17', Statement }),
      };
      assert.equal((await api.ask('PUT identity-policies', { body })).status, 200);
      assert.deepEqual(lines(await apply(api, { dryRun }, 'ann')).slice(0, 2), [
        'k8s/a, k8s, tagMutability refused, lifecyclePolicy applied',
        'k8s/deep/b, k8s, tagMutability applied, lifecyclePolicy applied',
      ]);
    });

  test('is told to nobody who may not read templates', async () => {
    await using api = await openWithRepositories();
    const body = { prefix: 'k8s', dryRun: true };
    const { status } = await api.ask('POST repositories/apply-template', { as: 'ann', body });
    assert.equal(status, 403);
  });
});
