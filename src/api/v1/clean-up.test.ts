import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  keyOf,
  manifestInput,
  push,
  pushInput,
} from '../../../tests/contracts/metadata/samples.ts';
import { home, openApi } from '../../../tests/support/rigs/api-rig.ts';
import type { ApiRig } from '../../../tests/support/rigs/api-rig.ts';
import { testRule } from '../../../tests/support/rigs/cache-rig.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';

/** Pulled: `k8s`, `k8s/a`, `k8s/b`, each with a blob of 100 bytes of its own and one of 10 for all; `k8s-old` too. Pushed: `k8s/mine`. Made: `k8s/made`. */
async function openWithImages(change: Parameters<typeof openApi>[0] = {}): Promise<ApiRig> {
  const api = await openApi(change);
  const { blobs, manifests } = api.metadata;
  for (const name of ['k8s', 'k8s/a', 'k8s/b', 'k8s-old']) {
    await manifests.storeManifest(manifestInput(name, name));
    for (const [digest, size] of [
      [digestOf(name), 100],
      [digestOf(name === 'k8s-old' ? 'old' : 'all'), 10],
    ] as const) {
      const rule = 'k8s https://registry.k8s.io/';
      await blobs.recordFetch({ ...keyOf(name), digest, size, rule, private: false, now: 1 });
    }
  }
  await push(api.metadata, pushInput('k8s/mine', 'mine'));
  await api.ask('POST repositories', { body: { repository: 'k8s/made' } });
  await api.ask('POST users', { body: { name: 'ann' } });
  api.audited.length = 0;
  return api;
}

interface Item {
  readonly repository: string;
  readonly outcome: string;
  readonly bytes: number;
  readonly because: string | null;
  readonly rule: object | null;
}

async function cleanUp(
  api: ApiRig,
  body: object,
  as = 'admin',
): Promise<{ readonly items: readonly Item[]; readonly next: string | null }> {
  const answer = await api.ask('POST repositories/clean-up', {
    as,
    body: { prefix: 'k8s', dryRun: false, ...body },
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.json));
  return answer.json;
}

const lines = ({ items }: { readonly items: readonly Item[] }): readonly string[] =>
  items.map(({ repository, outcome, bytes }) => `${repository} ${outcome} ${bytes}`);

async function left(api: ApiRig): Promise<readonly string[]> {
  const { json } = await api.ask('GET repositories');
  return (json.items as readonly Item[]).map(({ repository }) => repository);
}

const allThere = ['k8s', 'k8s-old', 'k8s/a', 'k8s/b', 'k8s/made', 'k8s/mine'];
const kept = ['k8s/made kept 0', 'k8s/mine kept 0'];

suite('a clean-up', () => {
  test('takes what pulls made at and below a prefix, and tells what that frees', async () => {
    await using api = await openWithImages();
    for (const prefix of ['k8s', 'k8s/']) {
      const foreseen = await cleanUp(api, { prefix, dryRun: true });
      const expected = ['k8s deleted 110', 'k8s/a deleted 100', 'k8s/b deleted 100', ...kept];
      assert.deepEqual(lines(foreseen), expected);
    }
    assert.deepEqual([await left(api), api.audited], [allThere, []]);
    const done = await cleanUp(api, {});
    const expected = ['k8s deleted 100', 'k8s/a deleted 100', 'k8s/b deleted 110', ...kept];
    assert.deepEqual(lines(done), expected);
    assert.match(done.items[3]?.because ?? '', /--all --force/);
    assert.deepEqual(await left(api), ['k8s-old', 'k8s/made', 'k8s/mine']);
    assert.deepEqual(
      api.audited.map(({ action, resource, outcome }) => [action, resource, outcome]),
      ['k8s', 'k8s/a', 'k8s/b'].map((name) => ['ecr:DeleteRepository', name, 'allowed']),
    );
    assert.deepEqual(lines(await cleanUp(api, {})), kept);
  });

  const others: readonly {
    readonly name: string;
    readonly body: object;
    readonly made: string;
    readonly mine: string;
  }[] = [
    {
      name: 'all: those that were made by hand, not those that hold what was pushed',
      body: { all: true },
      made: 'deleted',
      mine: 'kept',
    },
    {
      name: 'all and force: these too',
      body: { all: true, force: true },
      made: 'deleted',
      mine: 'deleted',
    },
    { name: 'force alone: neither', body: { force: true }, made: 'kept', mine: 'kept' },
  ];
  for (const { name, body, made, mine } of others)
    for (const dryRun of [true, false])
      test(`takes with ${name}: ${dryRun ? 'foreseen' : 'done'}`, async () => {
        await using api = await openWithImages();
        const { items } = await cleanUp(api, { ...body, dryRun });
        const outcomes = items.map(({ repository, outcome }) => `${repository} ${outcome}`);
        const pulled = ['k8s', 'k8s/a', 'k8s/b'].map((each) => `${each} deleted`);
        assert.deepEqual(outcomes, [...pulled, `k8s/made ${made}`, `k8s/mine ${mine}`]);
        const gone = dryRun ? [] : outcomes.filter((each) => each.endsWith(' deleted'));
        const stays = allThere.filter((each) => !gone.includes(`${each} deleted`));
        assert.deepEqual(await left(api), stays);
      });

  test('goes on where it ended, page by page', async () => {
    await using api = await openWithImages();
    const first = await cleanUp(api, { limit: 1 });
    assert.deepEqual(lines(first), ['k8s deleted 100', 'k8s/a deleted 100']);
    const second = await cleanUp(api, { limit: 1, cursor: first.next });
    assert.deepEqual(lines(second), ['k8s/b deleted 110']);
    assert.deepEqual(lines(await cleanUp(api, { limit: 9, cursor: second.next })), kept);
  });

  test('leaves what was pushed into after it was looked at', async () => {
    await using api = await openWithImages();
    const { blobs } = api.metadata;
    const before = { ...blobs };
    Object.assign(blobs, {
      sumOwnBlobs: async (...[key, leaving]: Parameters<typeof blobs.sumOwnBlobs>) => {
        const hold = { ...key, digest: digestOf('pushed'), create: false, now: 1 };
        if (key.repository === 'k8s/a') await blobs.holdBlob(hold);
        return before.sumOwnBlobs(key, leaving);
      },
    });
    const { items } = await cleanUp(api, {});
    assert.deepEqual(items[1]?.outcome, 'kept');
  });

  test('needs the right to delete each, and tells which it had not', async () => {
    await using api = await openWithImages();
    const Statement = [
      { Effect: 'Allow', Action: 'ecr:*', Resource: '*' },
      {
        Effect: 'Deny',
        Action: 'ecr:DeleteRepository',
        Resource: `arn:aws:ecr:*:${home}:repository/k8s/a`,
      },
      { Effect: 'Deny', Action: 'ecr:*', Resource: `arn:aws:ecr:*:${home}:repository/k8s/b` },
    ];
    const policy = JSON.stringify({ Version: '2012-10-17', Statement });
    const put = { user: 'ann', name: 'p', policy };
    assert.equal((await api.ask('PUT identity-policies', { body: put })).status, 200);
    api.audited.length = 0;
    const expected = ['k8s deleted', 'k8s/a refused', 'k8s/made kept', 'k8s/mine kept'];
    const outcomes = ({ items }: { readonly items: readonly Item[] }): readonly string[] =>
      items.map(({ repository, outcome }) => `${repository} ${outcome}`);
    assert.deepEqual(outcomes(await cleanUp(api, { dryRun: true }, 'ann')), expected);
    assert.equal(api.audited.length, 0);
    assert.deepEqual(outcomes(await cleanUp(api, {}, 'ann')), expected);
    assert.deepEqual(
      api.audited.map(({ resource, outcome }) => `${resource} ${outcome}`),
      ['k8s allowed', 'k8s/a denied'],
    );
  });

  test('tells the rule that makes a repository again', async () => {
    await using api = await openWithImages({ configured: [testRule({ prefix: 'k8s' })] });
    const { items } = await cleanUp(api, {});
    const rule = { prefix: 'k8s', origin: 'file' };
    assert.deepEqual(items[1]?.rule, rule);
  });

  for (const prefix of ['/', 'K8S', 'k8s//', '*', 'k8s/*', 'x'.repeat(256), ''])
    test(`takes no prefix that is none of a name: ${JSON.stringify(prefix.slice(0, 9))}`, async () => {
      await using api = await openWithImages();
      const body = { prefix, dryRun: false };
      const { status } = await api.ask('POST repositories/clean-up', { body });
      assert.deepEqual([status, await left(api)], [400, allThere]);
    });

  test('says nothing of what it would do where that is not said', async () => {
    await using api = await openWithImages();
    const { status } = await api.ask('POST repositories/clean-up', { body: { prefix: 'k8s' } });
    assert.deepEqual([status, await left(api)], [400, allThere]);
  });
});
