import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { createRig, failureOf, never, targetAt } from '../support/rigs/upstream-rig.ts';
import { manifestType, openStage } from '../support/upstreams/stage.ts';
import type { Stage } from '../support/upstreams/stage.ts';
import { digestOf } from '../support/samples/digest.ts';

const subject = digestOf(Buffer.from('subject'));
const path = `/v2/team/app/referrers/${subject}`;

function page(response: ServerResponse, names: readonly string[], link?: string | string[]): void {
  const manifests = names.map((name) => ({
    mediaType: manifestType,
    digest: digestOf(Buffer.from(name)),
    size: 7,
    artifactType: name,
  }));
  response.writeHead(200, {
    'content-type': 'application/vnd.oci.image.index.v1+json',
    ...(link === undefined ? {} : { link }),
  });
  response.end(JSON.stringify({ schemaVersion: 2, manifests }));
}

/** How a registry says where the second page is, and the path and query that are asked for it. */
const links: readonly (readonly [string, string | string[], string])[] = [
  ['its path', `<${path}?page=2>; rel="next"`, `${path}?page=2`],
  ['its query alone', '<?page=2>; rel="next"', `${path}?page=2`],
  ['a relative path', `<./${subject}?page=2>; rel="next"`, `${path}?page=2`],
  [
    'the name that the registry has inside',
    `<http://registry.internal:5000${path}?page=2>; rel="next"`,
    `${path}?page=2`,
  ],
  ['another scheme', `<https://registry.vendor.com${path}?page=2>; rel="next"`, `${path}?page=2`],
  [
    'a token in another parameter',
    `<${path}?next_page=gAAAA%3D%3D&n=50>; rel="next"`,
    `${path}?next_page=gAAAA%3D%3D&n=50`,
  ],
  ['a metadata address', `<http://169.254.169.254/x>; rel="next"`, '/x'],
  ['no quotes, after another link', `<?page=1>; rel=prev, <?page=2>; rel=next`, `${path}?page=2`],
  ['a line of its own', ['<?page=1>; rel="first"', '<?page=2>; rel="next"'], `${path}?page=2`],
  ['a second relation', `<?page=2>; title="more"; rel="last next"`, `${path}?page=2`],
];
for (const [name, link, second] of links) {
  test(`the second page of referrers is asked at our own origin where Link names ${name}`, async () => {
    await using stage = await openStage((_request, response, count) => {
      if (count === 1) page(response, ['a', 'b'], link);
      else page(response, ['c', 'd']);
    });
    await using rig = createRig();
    const found = await rig.upstream.listReferrers(targetAt(stage), subject, never);
    assert.deepEqual(
      found?.map(({ artifactType }) => artifactType),
      ['a', 'b', 'c', 'd'],
    );
    assert.deepEqual(
      stage.seen.map((one) => [one.host, one.path]),
      [
        [`registry.vendor.com:${stage.port}`, path],
        [`registry.vendor.com:${stage.port}`, second],
      ],
    );
  });
}

test('the second page of what a redirect led to is asked where the redirect led', async () => {
  await using other = await openStage((_request, response, count) => {
    if (count === 1) page(response, ['a'], '</v2/real/app/referrers/x?page=2>; rel="next"');
    else page(response, ['b']);
  });
  await using stage = await openStage((_request, response) =>
    response
      .writeHead(307, { location: `http://us.other.net:${other.port}/v2/real/app/referrers/x` })
      .end(),
  );
  await using rig = createRig();
  const found = await rig.upstream.listReferrers(targetAt(stage), subject, never);
  assert.equal(found?.length, 2);
  assert.deepEqual(
    [stage.seen.length, other.seen[1]?.path],
    [1, '/v2/real/app/referrers/x?page=2'],
  );
});

test('a list that leads back into itself ends', async () => {
  await using stage = await openStage((request, response) =>
    page(
      response,
      [request.url ?? ''],
      request.url === path ? '<?page=2>; rel="next"' : `<${path}>; rel="next"`,
    ),
  );
  await using rig = createRig();
  assert.equal((await rig.upstream.listReferrers(targetAt(stage), subject, never))?.length, 2);
  assert.equal(stage.seen.length, 2);
});

const absences: readonly (readonly [string, (response: ServerResponse) => void])[] = [
  ['404 in plain text', (response) => response.writeHead(404).end('404 page not found')],
  ['406', (response) => response.writeHead(406).end()],
  [
    'the page of a single-page application',
    (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
  ],
  ['an object that is no index', (response) => response.end('{"errors":[]}')],
];
for (const [name, answer] of absences) {
  test(`a registry that answers referrers by ${name} has no such API`, async () => {
    await using stage = await openStage((_request, response) => answer(response));
    await using rig = createRig();
    assert.equal(await rig.upstream.listReferrers(targetAt(stage), subject, never), undefined);
    assert.equal(rig.of('upstreamFailed').length, 0);
  });
  test(`a second page of referrers that is ${name} is a failure: half of a list is none`, async () => {
    await using stage: Stage = await openStage((_request, response, count) => {
      if (count === 1) page(response, ['a'], '<?page=2>; rel="next"');
      else answer(response);
    });
    await using rig = createRig();
    const failed = await failureOf(rig.upstream.listReferrers(targetAt(stage), subject, never));
    assert.equal(failed.kind, 'invalid');
  });
}
