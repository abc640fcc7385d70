import { join } from 'node:path';
import { administratorOf } from '../administrator.ts';
import { alternate } from '../figure.ts';
import type { Figure, Row } from '../figure.ts';
import { fillTags, tagName } from '../filled-store.ts';
import { pushImage } from '../push.ts';
import { syntheticBlob, syntheticImage } from '../synthetic-image.ts';
import type { System } from '../systems/system.ts';
import { settle } from './cold-blob.ts';

const tags = 100_000;
const pageTags = 1000;
const repository = 'bench/tags';
const path = (name: string, rest: string): string => `/v2/${name}/${rest}`;

/** A page out of the middle of a pushed repository's tags, another one each time. */
export const tagList: Figure = {
  name: 'tag-list',
  async measure(bench) {
    const folder = bench.folder('tags');
    const first = await bench.startBreakwater('tags');
    const authorization = administratorOf(folder);
    const image = syntheticImage(repository, 'latest', [syntheticBlob('tags', 10_000)]);
    await pushImage({ ...first, path, authorization }, image);
    await settle(first);
    await first.stop();
    fillTags(join(folder, 'data'), image, tags);
    const system = await bench.startBreakwater('tags');
    for (let page = 0; page < 5; page += 1) await readPage(system, authorization, page);
    const readings = await alternate(bench.latencyRuns, [
      { name: 'breakwater', measure: (run) => readPage(system, authorization, 10 + run) },
    ]);
    await system.stop();
    const row: Row = {
      title: `A page of ${pageTags.toLocaleString('en-US')} tags of ${tags.toLocaleString('en-US')}`,
      unit: 'ms',
      readings,
      ratios: [{ what: 'breakwater', value: readings[0]?.median ?? NaN, goal: { atMost: 20 } }],
      notes: ['out of the middle, another page each time, one client, by an access key'],
    };
    return [row];
  },
};

/** Milliseconds from the request to the last byte of the page's body. */
async function readPage(system: System, authorization: string, page: number): Promise<number> {
  const last = tags / 2 + page * pageTags - 1;
  const begun = performance.now();
  const response = await fetch(
    `http://${system.host}:${system.port}${path(repository, `tags/list?n=${pageTags}&last=${tagName(last)}`)}`,
    { headers: { authorization }, signal: AbortSignal.timeout(30_000) },
  );
  const text = await response.text();
  const milliseconds = performance.now() - begun;
  if (!response.ok) throw new Error(`tags/list answered ${response.status}: ${text}`);
  const { tags: found } = JSON.parse(text) as { readonly tags: readonly string[] };
  if (found.length !== pageTags || found[0] !== tagName(last + 1))
    throw new Error(`not the page asked for: ${found.length} tags from ${found[0]}`);
  return milliseconds;
}
