import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { CacheRig } from '../../../tests/support/rigs/cache-rig.ts';
import { createCacheRig, testRule } from '../../../tests/support/rigs/cache-rig.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import { failure } from '../../../tests/support/upstreams/scripted-upstream.ts';
import type { UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import { RegistryError } from '../../domain/errors.ts';

const path = '/v2/app/tags/list';

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `v${String(at).padStart(5, '0')}`);
}

/** Upstream pages by a token of its own, whatever `last` says; the next page is at `where`. */
function pageByToken(
  rig: CacheRig,
  tags: readonly string[],
  options: { readonly where?: string; readonly failAt?: number; readonly down?: string } = {},
): void {
  const { where = path, failAt = Infinity, down } = options;
  rig.upstream.listTags = async ({ url }, place) => {
    if (url.host === down) throw failure('network');
    const from =
      'next' in place ? Number(new URL(place.next, 'http://up').searchParams.get('token')) : 0;
    if (!('next' in place) && place.last !== undefined) throw failure('invalid', 400);
    if (from >= failAt) throw failure('serverError', 500);
    const next = from + 1000 < tags.length ? `${where}?token=${from + 1000}` : undefined;
    return { tags: tags.slice(from, from + 1000), next };
  };
}

async function page(rig: CacheRig, last = ''): Promise<readonly string[] | string> {
  const request = { ...rig.request('up/app'), n: 1000, last };
  return await rig.cache.listTags(request, rig.signal).then(
    ({ tags }) => tags,
    (error: unknown) => (error instanceof RegistryError ? error.code : String(error)),
  );
}

/** As a client follows our Link. */
async function all(rig: CacheRig): Promise<string[]> {
  const tags: string[] = [];
  let last = '';
  for (;;) {
    const answer = await rig.cache.listTags(
      { ...rig.request('up/app'), n: 1000, last },
      rig.signal,
    );
    tags.push(...answer.tags);
    if (!answer.more) return tags;
    last = answer.next ?? answer.tags.at(-1) ?? '';
  }
}

test('a known list is given out, stale, where the upstream’s other lists hang and no turn comes', async () => {
  await using rig = await createCacheRig();
  pageByToken(rig, numbered(3));
  assert.deepEqual(await page(rig), numbered(3));
  rig.clock.advance(60_000);
  const hung = Promise.withResolvers<never>();
  hung.promise.catch(() => {});
  let hanging = 0;
  rig.upstream.listTags = () => {
    hanging += 1;
    return hung.promise;
  };
  const others = Array.from({ length: 16 }, (_, at) =>
    rig.cache
      .listTags({ ...rig.request(`up/b${at}`), n: 10, last: '' }, rig.signal)
      .catch(() => {}),
  );
  await until(() => hanging === 16);
  const waiting = rig.clock.pending;
  const known = page(rig);
  await until(() => rig.clock.pending > waiting);
  rig.clock.advance(10_000);
  assert.deepEqual(await known, numbered(3));
  hung.reject(failure('network'));
  await Promise.all(others);
});

suite('a part of upstream’s list is never the whole', () => {
  for (const count of [2500, 10_500]) {
    test(`${count} tags that go on by a token are all there`, async () => {
      await using rig = await createCacheRig();
      pageByToken(rig, numbered(count));
      assert.deepEqual(await all(rig), numbered(count));
    });
  }

  test('a list that breaks in the middle is no list', async () => {
    await using rig = await createCacheRig();
    pageByToken(rig, numbered(2500), { failAt: 2000 });
    assert.equal(await page(rig), 'upstreamInvalid');
  });

  test('a list that goes on elsewhere is read whole, and refused where it is too long', async () => {
    await using rig = await createCacheRig();
    pageByToken(rig, numbered(2500), { where: '/v2/_other/list' });
    assert.deepEqual(await all(rig), numbered(2500));
    rig.clock.advance(60_000);
    pageByToken(rig, numbered(10_500), { where: '/v2/_other/list' });
    assert.equal(await page(rig), 'upstreamInvalid');
  });

  test('a mirror’s token is passed on to nobody: the next page is the upstream’s', async () => {
    const at = (host: string): UpstreamUrl => ({ origin: `http://${host}`, host, plain: true });
    const urls = [at('a'), at('b')] as const;
    await using rig = await createCacheRig({ rules: [testRule({ urls })] });
    pageByToken(rig, numbered(10_500), { down: 'a' });
    assert.equal(await page(rig), 'upstreamInvalid');
  });

  test('what is neither a tag nor a place in the list is refused', async () => {
    await using rig = await createCacheRig();
    pageByToken(rig, numbered(10_500));
    assert.equal(await page(rig, '~'), 'paginationInvalid');
    assert.equal(
      await page(rig, `~${Buffer.from('/v2/').toString('base64url')}`),
      'paginationInvalid',
    );
  });
});
