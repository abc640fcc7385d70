import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { basicOf, rulesOnly, startBreakwater } from '../support/processes/breakwater.ts';
import type { Breakwater } from '../support/processes/breakwater.ts';
import { manifestBytes, openStage, sendManifest } from '../support/upstreams/stage.ts';

test('pulls under a rule are counted by how they were answered, and what is refused is not', async (t) => {
  await using stage = await openStage((request, response) => {
    if (request.url?.startsWith('/v2/app/manifests/one') === true) sendManifest(response);
    else response.writeHead(404).end();
  });
  const breakwater = await startBreakwater({
    config: rulesOnly({
      prefix: 'up',
      upstream: `http://127.0.0.1:${stage.port}`,
      platforms: 'none',
      deny: ['secret/*'],
    }),
  });
  t.after(() => breakwater.close());
  const get = async (path: string, headers: Record<string, string> = {}): Promise<number> => {
    const answer = await fetch(`${breakwater.url}/v2/${path}`, { headers });
    await answer.bytes();
    return answer.status;
  };

  for (let n = 0; n < 3; n += 1) equal(await get('up/app/manifests/one'), 200);
  for (let n = 0; n < 2; n += 1) equal(await get('up/app/manifests/two'), 404);
  equal(await get('up/app/manifests/one', { authorization: 'Basic Ym9iOndyb25n' }), 401);
  const authorization = await basicOf(breakwater);
  equal(await get('up/secret/app/manifests/one', { authorization }), 403);
  equal(await get('team/app/manifests/one', { authorization }), 404);

  const bytes = manifestBytes.length;
  deepEqual(await cacheSeries(breakwater), [
    'requests_total{rule="up",kind="tag",result="error"} 1',
    'requests_total{rule="up",kind="tag",result="hit"} 2',
    'requests_total{rule="up",kind="tag",result="miss"} 1',
    'requests_total{rule="up",kind="tag",result="negative"} 1',
    `served_bytes_total{rule="up",kind="manifest",result="hit"} ${bytes * 2}`,
    `served_bytes_total{rule="up",kind="manifest",result="miss"} ${bytes}`,
  ]);
});

async function cacheSeries({ adminUrl }: Breakwater): Promise<string[]> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith('breakwater_cache_'));
  return lines.map((line) => line.replace('breakwater_cache_', '')).toSorted();
}
