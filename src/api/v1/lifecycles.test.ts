import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { home, openApi } from '../../../tests/support/rigs/api-rig.ts';
import type { ApiRig } from '../../../tests/support/rigs/api-rig.ts';
import { keyOf, push, pushInput } from '../../../tests/contracts/metadata/samples.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import type { LifecyclePreviewView } from '../../contract/lifecycle-view.ts';
import type { OperationsParts } from '../../operations/operations.ts';

const day = 24 * 60 * 60 * 1000;
const repository = 'team/app';

const untagged = {
  rulePriority: 2,
  selection: { tagStatus: 'untagged', countType: 'imageCountMoreThan', countNumber: 1 },
  action: { type: 'expire' },
};
const both = {
  rulePriority: 1,
  description: 'releases',
  selection: {
    tagStatus: 'tagged',
    tagPrefixList: ['v', 'release'],
    countType: 'sinceImagePushed',
    countUnit: 'days',
    countNumber: 14,
  },
  action: { type: 'expire' },
};
const policy = `${JSON.stringify({ rules: [untagged, both] }, undefined, 2)}\n`;

/** `team/app` with three untagged images and two tagged ones, pushed some days before now. */
async function openWithImages(change: Partial<OperationsParts> = {}): Promise<ApiRig> {
  const api = await openApi(change);
  assert.equal((await api.ask('POST repositories', { body: { repository } })).status, 201);
  const now = api.clock.now();
  for (const [name, tags, days] of [
    ['one', [], 30],
    ['two', [], 20],
    ['three', [], 10],
    ['four', ['v1'], 20],
    ['five', ['v2', 'release-2'], 20],
  ] as const)
    await push(api.metadata, pushInput(repository, name, { tags, now: now - days * day }));
  api.audited.length = 0;
  return api;
}

async function put(api: ApiRig, text = policy): Promise<void> {
  const { status } = await api.ask('PUT lifecycle-policy', { body: { repository, policy: text } });
  assert.equal(status, 200);
}

async function ended(
  api: ApiRig,
  query: Record<string, string> = {},
): Promise<LifecyclePreviewView> {
  return await until(async () => {
    const { json } = await api.ask('GET lifecycle-preview', { query: { repository, ...query } });
    const view = json as LifecyclePreviewView;
    return view.status === 'inProgress' ? undefined : view;
  });
}

suite('the lifecycle policy of a repository', () => {
  test('is put, shown and deleted to the letter, and both are audited', async () => {
    await using api = await openWithImages();
    const query = { repository };
    const none = await api.ask('GET lifecycle-policy', { query });
    assert.equal(none.status, 404);
    assert.match(
      (none.json as { detail: string }).detail,
      /^Lifecycle policy does not exist for the repository with name 'team\/app' in the registry with id '\d{12}'$/,
    );
    await put(api);
    const view = { account: home, repository, policy, lastEvaluatedAt: null };
    assert.deepEqual((await api.ask('GET lifecycle-policy', { query })).json, view);
    const deleted = await api.ask('DELETE lifecycle-policy', { query });
    assert.deepEqual([deleted.status, deleted.json], [200, view]);
    assert.equal((await api.ask('DELETE lifecycle-policy', { query })).status, 404);
    assert.deepEqual(
      api.audited.map(({ kind, action, resource }) => [kind, action, resource]),
      [
        ['change', 'ecr:PutLifecyclePolicy', repository],
        ['change', 'ecr:DeleteLifecyclePolicy', repository],
      ],
    );
  });

  test('is due an hour after it was put', async () => {
    await using api = await openWithImages();
    await put(api);
    const due = (ms: number) => api.metadata.lifecycles.listDueLifecycles(api.clock.now() + ms, 9);
    assert.equal((await due(3_599_999)).length, 0);
    assert.equal((await due(3_600_000)).length, 1);
  });

  test('that is none is refused in the words of ECR, with the place and the fix, and nothing is kept', async () => {
    await using api = await openWithImages();
    const body = {
      repository,
      policy: JSON.stringify({ rules: [{ ...untagged, rulePriority: 0 }] }),
    };
    const { status, json } = await api.ask('PUT lifecycle-policy', { body });
    assert.equal(status, 400);
    assert.equal(
      (json as { detail: string }).detail,
      'Lifecycle policy validation failure: numeric instance is lower than the required minimum (minimum: 1, found: 0) (rules[0].rulePriority: write 1 or more)',
    );
    assert.equal((await api.ask('GET lifecycle-policy', { query: { repository } })).status, 404);
    assert.deepEqual(api.audited, []);
  });

  for (const [endpoint, more] of [
    ['GET lifecycle-policy', {}],
    ['PUT lifecycle-policy', { policy }],
    ['DELETE lifecycle-policy', {}],
    ['POST lifecycle-preview', { policy }],
    ['GET lifecycle-preview', {}],
    ['POST lifecycle-policies/explain', { policy }],
  ] as const)
    test(`${endpoint} needs its right, whether the repository is there or not, and then a repository`, async () => {
      await using api = await openWithImages();
      await api.ask('POST users', { body: { name: 'ann' } });
      const ask = (name: string, as: string) => {
        const asked = { repository: name, ...more };
        return api.ask(endpoint, {
          as,
          ...(/^(?:GET|DELETE)/.test(endpoint) ? { query: asked } : { body: asked }),
        });
      };
      const [here, gone] = [await ask(repository, 'ann'), await ask('team/none', 'ann')];
      assert.deepEqual([here.status, gone.status], [404, 404]);
      const denials = api.audited.filter(({ kind }) => kind === 'denial');
      assert.deepEqual(
        denials.map(({ resource }) => resource),
        [repository, 'team/none'],
      );
      assert.equal((await ask('team/none', 'admin')).status, 404);
      assert.equal(api.audited.filter(({ kind }) => kind === 'denial').length, 2);
    });
});

suite('the text of a lifecycle policy', () => {
  test('is said in words, with what it says in vain', async () => {
    await using api = await openApi();
    const { status, json } = await api.ask('POST lifecycle-policies/check', { body: { policy } });
    assert.equal(status, 200);
    assert.deepEqual(json, {
      valid: true,
      problems: [],
      rules: [
        {
          priority: 1,
          description: 'releases',
          meaning:
            'expires images with all of: a tag that begins with v; a tag that begins with release that were pushed more than 14 days ago',
          warnings: [
            'selects only images that have a tag for each of v, release at once: an image with one such tag is not selected; where one is enough, write a rule for each',
          ],
        },
        {
          priority: 2,
          description: null,
          meaning: 'expires untagged images, all but the 1 youngest',
          warnings: [],
        },
      ],
    });
  });

  test('that is none has its problems told', async () => {
    await using api = await openApi();
    const { json } = await api.ask('POST lifecycle-policies/check', { body: { policy: '{}' } });
    assert.deepEqual(json, {
      valid: false,
      problems: [
        {
          field: '',
          what: 'object has missing required properties (["rules"])',
          fix: 'add rules',
        },
      ],
      rules: [],
    });
  });

  test('may expire what was not pulled, where that is set', async () => {
    const pulled = {
      rulePriority: 1,
      selection: {
        tagStatus: 'any',
        countType: 'sinceImagePulled',
        countUnit: 'days',
        countNumber: 9,
      },
      action: { type: 'expire' },
    };
    const body = { policy: JSON.stringify({ rules: [pulled] }) };
    for (const expireByPull of [false, true]) {
      await using api = await openApi({ lifecycleGrammar: () => ({ expireByPull }) });
      const { json } = await api.ask('POST lifecycle-policies/check', { body });
      assert.equal((json as { valid: boolean }).valid, expireByPull);
    }
  });
});

suite('a preview', () => {
  test('finds what the policy of the repository would act on, and touches nothing', async () => {
    await using api = await openWithImages();
    await put(api);
    const begun = await api.ask('POST lifecycle-preview', { body: { repository } });
    assert.equal(begun.status, 200);
    assert.equal((begun.json as LifecyclePreviewView).status, 'inProgress');
    const { items, ...view } = await ended(api);
    assert.deepEqual(
      { ...view, startedAt: '' },
      {
        account: home,
        repository,
        policy,
        status: 'complete',
        startedAt: '',
        expiring: 3,
        transitioning: 0,
        next: null,
      },
    );
    assert.deepEqual(
      items.map(({ tags, priority, action }) => [tags, priority, action]),
      [
        [['release-2', 'v2'], 1, 'expire'],
        [[], 2, 'expire'],
        [[], 2, 'expire'],
      ],
    );
    assert.equal(
      (await api.metadata.manifests.listImages(keyOf(repository), undefined, 9)).length,
      5,
    );
  });

  test('of a text that is not put is shown by tag status, page after page', async () => {
    await using api = await openWithImages();
    const body = { repository, policy };
    assert.equal((await api.ask('POST lifecycle-preview', { body })).status, 200);
    assert.equal((await ended(api, { tagStatus: 'tagged' })).items.length, 1);
    assert.equal((await ended(api, { tagStatus: 'any' })).items.length, 3);
    const found: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: LifecyclePreviewView = await ended(api, {
        tagStatus: 'untagged',
        limit: '1',
        ...(cursor === '' ? {} : { cursor }),
      });
      found.push(...page.items.map(({ digest }) => digest));
      cursor = page.next;
    }
    assert.equal(found.length, 2);
    assert.deepEqual(found, found.toSorted());
    assert.equal((await api.ask('GET lifecycle-policy', { query: { repository } })).status, 404);
  });

  test('that was never begun is 404, as is one of no policy', async () => {
    await using api = await openWithImages();
    const query = { repository };
    assert.equal((await api.ask('GET lifecycle-preview', { query })).status, 404);
    assert.equal((await api.ask('POST lifecycle-preview', { body: query })).status, 404);
  });

  test('is one at a time for a repository, and one that did not end is failed after ten minutes', async () => {
    await using api = await openWithImages();
    const times = { now: api.clock.now(), staleBefore: 0 };
    await api.metadata.lifecycles.beginPreview({
      ...keyOf(repository),
      id: 'x',
      text: policy,
      ...times,
    });
    const body = { repository, policy };
    assert.equal((await api.ask('POST lifecycle-preview', { body })).status, 409);
    api.clock.advance(600_001);
    assert.equal((await ended(api)).status, 'failed');
    assert.equal((await api.ask('POST lifecycle-preview', { body })).status, 200);
    assert.equal((await ended(api)).status, 'complete');
  });

  test('is expired after a day', async () => {
    await using api = await openWithImages();
    await api.ask('POST lifecycle-preview', { body: { repository, policy } });
    await ended(api);
    api.clock.advance(day + 1);
    const { status, items } = await ended(api);
    assert.deepEqual([status, items], ['expired', []]);
  });
});

suite('what a policy makes of each image', () => {
  test('is said with the reason, the youngest first, page after page', async () => {
    await using api = await openWithImages();
    await put(api);
    const because: string[] = [];
    let cursor: string | null = null;
    do {
      const body: Record<string, unknown> = {
        repository,
        limit: 2,
        ...(cursor === null ? {} : { cursor }),
      };
      const { status, json } = await api.ask('POST lifecycle-policies/explain', { body });
      assert.equal(status, 200);
      const { items, next } = json as {
        items: { tags: string[]; fate: string; because: string }[];
        next: string | null;
      };
      because.push(
        ...items.map(({ tags, fate, because: why }) => `${tags.join()} ${fate}: ${why}`),
      );
      cursor = next;
    } while (cursor !== null);
    assert.equal(because[0], ' keep: rule 2 keeps the 1 youngest, and it is number 1');
    assert.equal(because.at(-1), ' expire: rule 2 expires it');
    assert.deepEqual(because.slice(1, 4).toSorted(), [
      ' expire: rule 2 expires it',
      'release-2,v2 expire: rule 1 expires it',
      'v1 keep: no rule is about images with its tags',
    ]);
  });

  test('is said of those images alone that are asked for', async () => {
    await using api = await openWithImages();
    const body = { repository, policy, images: ['v1', 'missing'] };
    const { json } = await api.ask('POST lifecycle-policies/explain', { body });
    assert.deepEqual(
      (json as { items: { tags: string[] }[] }).items.map(({ tags }) => tags),
      [['v1']],
    );
    const wrong = { ...body, images: ['not a tag'] };
    assert.equal((await api.ask('POST lifecycle-policies/explain', { body: wrong })).status, 400);
  });
});
