import { equal, ok } from 'node:assert/strict';
import { basename, dirname } from 'node:path';
import { after, test } from 'node:test';
import { rulesOnly, startBreakwater } from '../support/processes/breakwater.ts';
import { countCalls, filesBelow, inspectable } from '../support/processes/call-coverage.ts';
import { eventually } from '../support/processes/process.ts';
import { openScriptedRegistry, types } from '../support/upstreams/scripted-registry.ts';
import { digestOf } from '../support/samples/digest.ts';

/**
 * How many files of src/ one request runs through, from its first byte to its line in the log, in a server as users start it: main
 * thread and workers. A file counts when each of several such requests called a function of it; what a timer did meanwhile does not.
 */
const source = new URL('../../src/', import.meta.url);
const rounds = 5;

/** Large enough to be sent in pieces. */
const layer = Buffer.alloc(100_000, 7);
const newLayers = Array.from({ length: rounds }, (_, n) => Buffer.alloc(100_000, n + 10));

const upstream = await openScriptedRegistry();
after(() => upstream[Symbol.asyncDispose]());
for (const bytes of newLayers) upstream.blob(bytes);
const image = {
  schemaVersion: 2,
  mediaType: types.manifest,
  config: upstream.blob('{}', types.config),
  layers: [upstream.blob(layer)],
};
upstream.manifest(image, { tag: 'warm' });
// They differ by an annotation alone: what they name is here after the first pull.
for (let n = 0; n < rounds; n += 1)
  upstream.manifest({ ...image, annotations: { n: String(n) } }, { tag: `new-${n}` });

const server = await startBreakwater({
  config: rulesOnly({ prefix: 'up', upstream: upstream.url }),
  env: inspectable,
});
after(() => server.close());
await get('manifests/warm');
for (const { digest } of [image.config, ...image.layers]) await get(`blobs/${digest}`);
const coverage = await countCalls(server);
after(() => coverage[Symbol.dispose]());

/** Comes back when the request is over for the server too. */
async function get(path: string): Promise<void> {
  const lines = (): number => server.logs().split('"kind":"access"').length;
  const before = lines();
  const answer = await fetch(`${server.url}/v2/up/app/${path}`);
  await answer.bytes();
  equal(answer.status, 200, path);
  await eventually('the request is in the log', () => lines() > before);
}

interface Row {
  readonly name: string;
  readonly path: (round: number) => string;
  /** May only be lowered, to `goal`. */
  readonly limit: number;
  readonly goal?: number;
}

const rows: readonly Row[] = [
  { name: 'a warm blob', path: () => `blobs/${digestOf(layer)}`, limit: 54, goal: 12 },
  { name: 'a warm tag', path: () => 'manifests/warm', limit: 45, goal: 10 },
  { name: 'a miss of a tag', path: (n) => `manifests/new-${n}`, limit: 112, goal: 25 },
  { name: 'a miss of a blob', path: (n) => `blobs/${digestOf(newLayers[n]!)}`, limit: 121 },
];

for (const { name, path, limit, goal } of rows) {
  test(`${name} runs through ${limit} files at most`, async (t) => {
    let crossed: Set<string> | undefined;
    for (let round = 0; round < rounds; round += 1) {
      await coverage.take();
      await get(path(round));
      const called = new Set(filesBelow(source, await coverage.take()));
      crossed = crossed?.intersection(called) ?? called;
    }
    const files = [...(crossed ?? [])];
    const list = listed(files);
    t.diagnostic(`${files.length} files${goal === undefined ? '' : `, ${goal} wanted`}\n${list}`);
    ok(files.includes('http/server.ts'), 'nothing was counted');
    ok(files.length <= limit, `${files.length} files\n${list}`);
  });
}

/** A line a room. */
function listed(files: readonly string[]): string {
  const rooms = Map.groupBy(files, (file) => (file.includes('/') ? dirname(file) : '.'));
  return [...rooms]
    .map(([room, own]) => `${room} (${own.length}): ${own.map((file) => basename(file)).join(' ')}`)
    .join('\n');
}
