import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { createFakeClock } from '../support/rigs/fake-clock.ts';
import { createRig, failureOf, never, targetAt } from '../support/rigs/upstream-rig.ts';
import { manifestType, openStage } from '../support/upstreams/stage.ts';
import type { Stage, StageHandler } from '../support/upstreams/stage.ts';
import { digestOf } from '../support/samples/digest.ts';

const subject = digestOf(Buffer.from('subject'));

function json(
  response: ServerResponse,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
}

const descriptor = (name: string): object => ({
  mediaType: manifestType,
  digest: digestOf(Buffer.from(name)),
  size: 7,
  artifactType: 'application/sbom',
  annotations: { name, odd: 5 },
});

test('tags ask for n and last, tell of a next page, and leave out what is no tag', async () => {
  await using stage = await openStage((_request, response, count) => {
    const next = {
      link: '<https://elsewhere.example//v2/team/app/tags/list?n=2&last=b>; rel="next"',
    };
    json(
      response,
      { name: 'team/app', tags: ['a', 'b', '../evil', 7, '-x'] },
      count === 1 ? next : {},
    );
  });
  await using rig = createRig();
  const target = targetAt(stage);
  assert.deepEqual(await rig.upstream.listTags(target, { n: 2 }, never), {
    tags: ['a', 'b'],
    next: '/v2/team/app/tags/list?n=2&last=b',
  });
  assert.deepEqual(await rig.upstream.listTags(target, { n: 2, last: 'b&n=9' }, never), {
    tags: ['a', 'b'],
    next: undefined,
  });
  assert.deepEqual(
    stage.seen.map(({ path }) => path),
    ['/v2/team/app/tags/list?n=2', '/v2/team/app/tags/list?n=2&last=b%26n%3D9'],
  );
});

test('the next page of tags that a redirect led to is asked by the same redirect', async () => {
  await using other = await openStage((request, response) => {
    const second = request.url?.endsWith('?n=1&last=a') === true;
    const link = '</v2/real/app/tags/list?n=1&last=a>; rel="next"';
    json(response, { tags: [second ? 'b' : 'a'] }, second ? {} : { link });
  });
  await using stage = await openStage((request, response) => {
    const to = (request.url ?? '').replace('/v2/team/', '/v2/real/');
    response.writeHead(307, { location: `http://us.other.net:${other.port}${to}` }).end();
  });
  await using rig = createRig();
  const first = await rig.upstream.listTags(targetAt(stage), { n: 1 }, never);
  assert.deepEqual(first, { tags: ['a'], next: '/v2/team/app/tags/list?n=1&last=a' });
  const second = await rig.upstream.listTags(targetAt(stage), { next: first.next! }, never);
  assert.deepEqual(second, { tags: ['b'], next: undefined });
});

test('a repository without tags has none', async () => {
  await using stage = await openStage((_request, response) =>
    json(response, { name: 'x', tags: null }),
  );
  await using rig = createRig();
  assert.deepEqual(await rig.upstream.listTags(targetAt(stage), { n: 2 }, never), {
    tags: [],
    next: undefined,
  });
});

const badLists: readonly (readonly [string, (response: ServerResponse) => void, string])[] = [
  [
    'HTML',
    (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
    'html',
  ],
  ['an array', (response) => json(response, []), 'badJson'],
  ['tags that are no list', (response) => json(response, { tags: 'a' }), 'badJson'],
  ['half of a list', (response) => void response.writeHead(200).end('{"tags":["a"'), 'badJson'],
  [
    '20 MB',
    (response) => response.writeHead(200, { 'content-length': '20000000' }).flushHeaders(),
    'tooLarge',
  ],
];
for (const [name, answer, reason] of badLists) {
  test(`tags answered by ${name} are unusable`, async () => {
    await using stage = await openStage((_request, response) => answer(response));
    await using rig = createRig();
    const failed = await failureOf(rig.upstream.listTags(targetAt(stage), { n: 2 }, never));
    assert.deepEqual([failed.kind, failed.reason], ['invalid', reason]);
    assert.equal(stage.seen.length, 1);
  });
}

test('referrers are read page by page, without what is no descriptor', async () => {
  await using stage = await openStage((request, response) => {
    const second = request.url?.endsWith('?page=2') === true;
    const link = { link: '<?page=1>; rel="prev", <?page=2>; rel=next' };
    const relative = { link: link.link.replaceAll('<?', `</v2/team/app/referrers/${subject}?`) };
    json(
      response,
      { manifests: [descriptor(second ? 'two' : 'one'), { digest: 'sha256:zz' }, null] },
      second ? {} : relative,
    );
  });
  await using rig = createRig();
  const found = await rig.upstream.listReferrers(targetAt(stage), subject, never);
  assert.deepEqual(found, [
    { ...descriptor('one'), annotations: { name: 'one' } },
    { ...descriptor('two'), annotations: { name: 'two' } },
  ]);
  assert.equal(stage.seen.length, 2);
});

for (const status of [404, 405, 501]) {
  test(`a registry that answers ${status} to referrers has no such API`, async () => {
    await using stage = await openStage(
      (_request, response) => void response.writeHead(status).end(),
    );
    await using rig = createRig();
    assert.equal(await rig.upstream.listReferrers(targetAt(stage), subject, never), undefined);
    assert.equal(rig.of('upstreamFailed').length, 0);
  });
}

test('a registry that answers a page of HTML to referrers has no such API', async () => {
  await using stage = await openStage(
    (_request, response) =>
      void response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
  );
  await using rig = createRig();
  assert.equal(await rig.upstream.listReferrers(targetAt(stage), subject, never), undefined);
});

test('referrers that never end are cut at 100 pages', async () => {
  await using stage = await openStage((_request, response, count) =>
    json(
      response,
      { manifests: [descriptor(`n${count}`)] },
      { link: `</v2/more?page=${count}>; rel="next"` },
    ),
  );
  await using rig = createRig();
  assert.equal((await rig.upstream.listReferrers(targetAt(stage), subject, never))?.length, 100);
  assert.equal(stage.seen.length, 100);
});

test('a 5xx to referrers is a failure', async () => {
  await using stage = await openStage((_request, response) => void response.writeHead(503).end());
  await using rig = createRig();
  assert.equal(
    (await failureOf(rig.upstream.listReferrers(targetAt(stage), subject, never))).kind,
    'serverError',
  );
});

test('a blob’s HEAD costs one request and gives its size', async () => {
  await using stage = await openStage(
    (_request, response) => void response.writeHead(200, { 'content-length': '12345' }).end(),
  );
  await using rig = createRig();
  assert.deepEqual(await rig.upstream.headBlob(targetAt(stage), subject, never), { size: 12_345 });
  assert.deepEqual(
    stage.seen.map(({ method }) => method),
    ['HEAD'],
  );
});

test('lists that stand still with what they have brought hold up no list of another upstream for longer than 3 s', async () => {
  const mebibyte = 1024 * 1024;
  const page = (bytes: number): string => JSON.stringify({ tags: ['a'], more: 'x'.repeat(bytes) });
  let brought = 0;
  const standing: StageHandler = (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write(page(14 * mebibyte), () => (brought += 1));
  };
  await using one = await openStage(standing);
  await using two = await openStage(standing);
  await using three = await openStage(standing);
  await using other = await openStage((_request, response) => {
    response.end(page(15 * mebibyte));
  });
  const clock = createFakeClock();
  await using rig = createRig({ clock });
  const list = (stage: Stage): Promise<string> =>
    rig.upstream.listTags(targetAt(stage), {}, never).then(
      ({ tags }) => tags.join(''),
      ({ name, message }: Error) => `${name}: ${message}`,
    );
  const held = [one, two, three].map(list);
  // What the system still holds of the last write is read within so many turns of the loop.
  for (let turns = 0; turns < 1000; turns += brought === 3 ? 1 : 0)
    await new Promise((resolve) => setImmediate(resolve));
  assert.match(await list(other), /^ListsBusy/);
  clock.advance(3000);
  assert.equal(await list(other), 'a');
  assert.match(await Promise.race(held), /a list stood still while others were waiting/);
});
