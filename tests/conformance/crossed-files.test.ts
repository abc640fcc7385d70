import { equal, ok } from 'node:assert/strict';
import { basename, dirname } from 'node:path';
import { after, test } from 'node:test';
import { rulesOnly, startBreakwater } from '../support/processes/breakwater.ts';
import { countCalls, filesBelow, inspectable } from '../support/processes/call-coverage.ts';
import { until } from '../support/rigs/until.ts';
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
  await until(() => lines() > before, 'the request is in the log');
}

/** Where it is decided what a pull gets. The others are what every request runs through, the domain's values and the pieces of coordination. */
const deciding = ['access', 'api', 'cache', 'metadata', 'operations', 'storage', 'upstream'];

interface Row {
  readonly name: string;
  readonly path: (round: number) => string;
  /** Files of the rooms that decide; may only be lowered, to `goal`. */
  readonly own: number;
  readonly goal?: number;
  /** Files of all rooms; may only be lowered. */
  readonly all: number;
}

const rows: readonly Row[] = [
  { name: 'a warm blob', path: () => `blobs/${digestOf(layer)}`, own: 15, goal: 12, all: 46 },
  { name: 'a warm tag', path: () => 'manifests/warm', own: 13, goal: 10, all: 39 },
  { name: 'a miss of a tag', path: (n) => `manifests/new-${n}`, own: 64, goal: 25, all: 108 },
  { name: 'a miss of a blob', path: (n) => `blobs/${digestOf(newLayers[n]!)}`, own: 68, all: 112 },
];

for (const { name, path, own, goal, all } of rows) {
  test(`${name} is decided in ${own} files at most, and runs through ${all}`, async (t) => {
    let crossed: Set<string> | undefined;
    for (let round = 0; round < rounds; round += 1) {
      await coverage.take();
      await get(path(round));
      const called = new Set(filesBelow(source, await coverage.take()));
      crossed = crossed?.intersection(called) ?? called;
    }
    const files = [...(crossed ?? [])];
    const decided = files.filter((file) => deciding.includes(file.split('/')[0] ?? ''));
    const list = listed(files);
    const wanted = goal === undefined ? '' : ` (${goal} wanted)`;
    t.diagnostic(`${decided.length} files decide${wanted}, ${files.length} in all\n${list}`);
    ok(files.includes('http/server.ts'), 'nothing was counted');
    ok(decided.length <= own, `${decided.length} files decide\n${list}`);
    ok(files.length <= all, `${files.length} files in all\n${list}`);
  });
}

/** A line a room. */
function listed(files: readonly string[]): string {
  const rooms = Map.groupBy(files, (file) => (file.includes('/') ? dirname(file) : '.'));
  return [...rooms]
    .map(([room, own]) => `${room} (${own.length}): ${own.map((file) => basename(file)).join(' ')}`)
    .join('\n');
}
