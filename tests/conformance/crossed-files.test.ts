import { equal, ok } from 'node:assert/strict';
import { basename, dirname } from 'node:path';
import { after, before, test } from 'node:test';
import { mediaTypes } from '../../src/domain/manifests/media-type.ts';
import { rulesOnly, startBreakwater, type Breakwater } from '../support/processes/breakwater.ts';
import {
  countCalls,
  filesBelow,
  inspectable,
  type CallCoverage,
} from '../support/processes/call-coverage.ts';
import { eventually } from '../support/processes/process.ts';
import { digestOf, openStage, type Stage } from '../support/upstreams/stage.ts';

/**
 * How many files of src/ one request runs through, from its first byte to its line in the log, in a server as users start it: main
 * thread and workers. A file counts when each of several such requests called a function of it; what a timer did meanwhile does not.
 */
const source = new URL('../../src/', import.meta.url);
const rounds = 5;

const layer = Buffer.alloc(100_000, 7);
const config = Buffer.from('{}');

/** Tags differ by an annotation alone: what they name is here after the first pull. */
function manifestOf(tag: string): Buffer {
  const descriptor = (mediaType: string, bytes: Buffer): object => ({
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
  });
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
      annotations: { tag },
    }),
  );
}

/** Layers whose bytes are asked for once each. */
const newLayers = Array.from({ length: rounds }, (_, n) => Buffer.alloc(100_000, n + 10));
const blobs = new Map([config, layer, ...newLayers].map((bytes) => [digestOf(bytes), bytes]));

let upstream: Stage;
let server: Breakwater;
let coverage: CallCoverage;

before(async () => {
  upstream = await openStage(({ url = '', method }, response) => {
    const [kind, name = ''] = url.replace('/v2/app/', '').split('/');
    const bytes = kind === 'manifests' ? manifestOf(name) : blobs.get(name as never);
    if (bytes === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'content-type': kind === 'manifests' ? mediaTypes.ociManifest : 'application/octet-stream',
      'content-length': bytes.length,
      'docker-content-digest': digestOf(bytes),
    });
    response.end(method === 'HEAD' ? undefined : bytes);
  });
  server = await startBreakwater({
    config: rulesOnly({ prefix: 'up', upstream: `http://127.0.0.1:${upstream.port}` }),
    env: inspectable,
  });
  await get('manifests/warm');
  for (const bytes of [config, layer]) await get(`blobs/${digestOf(bytes)}`);
  coverage = await countCalls(server);
});
after(async () => {
  coverage[Symbol.dispose]();
  await server.close();
  await upstream[Symbol.asyncDispose]();
});

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
  { name: 'a miss of a blob', path: (n) => `blobs/${digestOf(newLayers[n]!)}`, limit: 120 },
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
