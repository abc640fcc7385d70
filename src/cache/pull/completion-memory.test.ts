// What waits for completion is known by its digest alone, however large the manifests are.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createFakeClock } from '../../../tests/support/rigs/fake-clock.ts';
import { createScriptedUpstream } from '../../../tests/support/upstreams/scripted-upstream.ts';
import { testRule } from '../../../tests/support/rigs/cache-rig.ts';
import { until } from '../../../tests/support/rigs/until.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import { homeRegistry } from '../../../tests/support/samples/home-registry.ts';
import { parseRepositoryName } from '../../domain/names/repository-name.ts';
import { createRuleSet } from '../../domain/rules/rule-set.ts';
import type { StoredManifest } from '../../metadata/contract/rows.ts';
import { ImageCompletion } from './complete-image.ts';
import { digestOf } from '../../../tests/support/samples/digest.ts';

const mebibyte = 1024 * 1024;
const manifestBytes = 4 * mebibyte;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('1,000 manifests of 4 MiB wait in less than 64 MiB, and few are read at a time', async () => {
  const rule = testRule({ platforms: 'requested' });
  const repository = parseRepositoryName('up/app')!;
  const upstreamRepository = parseRepositoryName('app')!;
  const request = { registry: homeRegistry, target: { rule, repository, upstreamRepository } };
  let filling = 0;
  let reading = 0;
  let readingMax = 0;
  const { promise: held, resolve: open } = Promise.withResolvers<void>();
  const layer = { mediaType: 'x/y', digest: digestOf(Buffer.from('layer')), size: 5 };
  const small = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, layers: [layer] }),
  );
  const completion = new ImageCompletion({
    upstream: createScriptedUpstream(),
    repositories: {
      stamp: () => 1,
      findManifest: async (_request: unknown, digest: StoredManifest['digest']) => {
        reading += 1;
        readingMax = Math.max(readingMax, reading);
        await new Promise((resolve) => setImmediate(resolve));
        reading -= 1;
        return { digest, mediaType: mediaTypes.ociManifest, bytes: small };
      },
    } as never,
    clock: createFakeClock(),
    events: { emit: () => {} },
    signal: new AbortController().signal,
    fetcher: {} as never,
    blobs: {
      fill: async () => {
        filling += 1;
        await held;
        return true;
      },
    } as never,
    downloads: { pauseUnread: () => {} },
    rules: () => createRuleSet([rule]),
  });
  collect();
  const before = process.memoryUsage().arrayBuffers;
  for (let count = 0; count < 1000; count += 1) {
    const manifest: StoredManifest = {
      digest: digestOf(Buffer.from(`manifest ${count}`)),
      mediaType: mediaTypes.ociManifest,
      bytes: new Uint8Array(manifestBytes),
    };
    completion.sent(request, manifest);
    if (count % 50 === 0) collect();
  }
  await until(() => filling === 12, 'all that may be filled at once');
  collect();
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 64 * mebibyte, `${Math.round(grown / mebibyte)} MiB`);
  open();
  await completion.idle();
  assert.equal(filling, 1000);
  assert.ok(readingMax <= 4, `${readingMax} read at once`);
});
