import { deepEqual } from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { Metadata } from '../../src/metadata/contract/metadata.ts';
import type { Event } from '../../src/ports/events.ts';
import type { Storage } from '../../src/storage/file-storage.ts';
import { createMemoryStorage } from '../support/rigs/memory-storage.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { createUpstream } from '../../src/upstream/client.ts';
import { createCacheRig, randomBytes, readAll } from '../support/rigs/cache-rig.ts';
import type { CacheRig } from '../support/rigs/cache-rig.ts';
import { until } from '../support/rigs/until.ts';
import { rulesOnly, startBreakwater } from '../support/processes/breakwater.ts';
import { createTestAuthority } from '../support/samples/certificates.ts';
import { emptyJson, imageOf, pushImage } from '../support/rigs/push-rig.ts';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import { openScriptedRegistry } from '../support/upstreams/scripted-registry.ts';
import type { ScriptedRegistry } from '../support/upstreams/scripted-registry.ts';
import { ruleOf, secret } from '../support/rigs/upstream-rig.ts';
import { digestOf } from '../support/samples/digest.ts';

const layer = randomBytes(100_000);
const layerDigest = digestOf(layer);

interface Scene {
  readonly rig: CacheRig;
  readonly registry: ScriptedRegistry;
}

interface Row {
  readonly when: string;
  readonly credential?: true;
  readonly platforms?: 'requested';
  readonly full?: true;
  readonly around?: (metadata: Metadata) => Metadata;
  readonly run: (scene: Scene) => Promise<unknown>;
}

const pullImage = (scene: Scene): Promise<unknown> => settle(scene.rig.manifest('up/app', 'one'));

const pullLayer = async ({ rig }: Scene): Promise<void> => {
  const { source } = await rig.blob('up/app', layerDigest);
  await settle(readAll(source));
};

const status =
  (code: number, headers: Readonly<Record<string, string>> = {}) =>
  async (scene: Scene): Promise<void> => {
    scene.registry.instead = (_request, response) =>
      Boolean(response.writeHead(code, headers).end());
    for (let n = 0; n < 6; n += 1) {
      await pullImage(scene);
      scene.rig.clock.advance(60_000);
    }
  };

/** What production does for each event to be told. */
const rows: Readonly<Record<Event['type'], Row>> = {
  upstreamRequest: { when: 'a manifest is pulled', run: pullImage },
  upstreamReceived: { when: 'a manifest has come', run: pullImage },
  upstreamFailed: { when: 'upstream answers 500', run: status(500) },
  throttled: { when: 'upstream answers 429', run: status(429, { 'retry-after': '1' }) },
  breaker: { when: 'upstream answers 503 again and again', run: status(503) },
  rateLimit: {
    when: 'upstream says its limit',
    run: async (scene) => {
      scene.registry.instead = (_request, response) => {
        response.setHeader('ratelimit-limit', '100;w=21600');
        response.setHeader('ratelimit-remaining', '99;w=21600');
        response.setHeader('ratelimit-reset', '3600');
        return false;
      };
      await pullImage(scene);
    },
  },
  authFailed: {
    when: 'upstream refuses the credential',
    credential: true,
    run: status(401, { 'www-authenticate': 'Basic realm="r"' }),
  },
  downloadStarted: { when: 'a blob is pulled', run: pullLayer },
  downloadEnded: { when: 'a blob has come', run: pullLayer },
  downloadResumed: {
    when: 'a body breaks off in its middle',
    run: async (scene) => {
      let broken = false;
      scene.registry.instead = ({ url, method }, response) => {
        if (broken || method !== 'GET' || url?.endsWith(layerDigest) !== true) return false;
        broken = true;
        response.writeHead(200, { 'content-length': layer.length });
        response.write(layer.subarray(0, 50_000), () => response.destroy());
        return true;
      };
      await pullLayer(scene);
    },
  },
  digestMismatch: {
    when: 'a body has another digest',
    run: async (scene) => {
      scene.registry.instead = ({ url, method }, response) => {
        if (method !== 'GET' || url?.endsWith(layerDigest) !== true) return false;
        response.end(randomBytes(layer.length, 2));
        return true;
      };
      await pullLayer(scene);
    },
  },
  imageArrived: {
    when: 'an image is pulled and its layers have come',
    platforms: 'requested',
    run: pullImage,
  },
  pushed: {
    when: 'an image is pushed',
    run: ({ rig }) => pushImage(rig, 'team/app', 'one', layer),
  },
  deleted: {
    when: 'a manifest is deleted',
    run: async ({ rig }) => {
      const digest = await pushImage(rig, 'team/app', 'one', layer);
      await rig.cache.pushes.deleteManifest({
        ...rig.request('team/app'),
        reference: { kind: 'digest', digest },
      });
    },
  },
  storageFailed: {
    when: 'metadata cannot be written',
    around: (metadata) => ({
      ...metadata,
      manifests: {
        ...metadata.manifests,
        storeManifest: () => Promise.reject(new Error('the disk is full')),
      },
    }),
    run: pullImage,
  },
  spaceLow: { when: 'a blob is pulled to a full volume', full: true, run: pullLayer },
};

/** Fed by all that the rows below tell. */
const metrics = createMetrics({
  version: '',
  commit: '',
  requestsInFlight: () => 0,
  uploadsInFlight: () => 0,
  certificateEnd: () => undefined,
  space: () => Promise.reject(new Error('nobody asks')),
});

suite('production tells', () => {
  for (const [type, row] of Object.entries(rows)) {
    test(`${type} when ${row.when}`, async () => {
      await using registry = await openApp();
      const rule = ruleOf(registry.url, {
        prefix: 'up',
        platforms: row.platforms ?? 'none',
        ...(row.credential === undefined ? {} : { credential: secret }),
      });
      const clients: AsyncDisposable[] = [];
      await using rig = await createCacheRig({
        rules: [rule],
        client: (parts) => {
          const client = createUpstream({ ...parts, env: {} });
          clients.push(client);
          return client;
        },
        ...(row.full === undefined ? {} : { storage: await fullStorage() }),
        ...(row.around === undefined ? {} : { around: row.around }),
      });
      try {
        await row.run({ rig, registry });
        await until(() => rig.events.some((event) => event.type === type), type);
        for (const event of rig.events) metrics.emit(event);
      } finally {
        for (const client of clients) await client[Symbol.asyncDispose]();
      }
    });
  }
});

test('every metric is fed by what production tells, or by a server that runs', async (t) => {
  const authority = await createTestAuthority();
  const { cert, key } = await authority.issue(['127.0.0.1']);
  const folder = await makeRunFolder('metrics');
  t.after(() => removeRunFolder(folder));
  const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
  await writeFile(tls.certFile, cert);
  await writeFile(tls.keyFile, key, { mode: 0o600 });
  await using registry = await openApp();
  const rule = { prefix: 'up', upstream: registry.url, platforms: 'none' };
  const breakwater = await startBreakwater({ config: { ...rulesOnly(rule), tls } });
  t.after(() => breakwater.close());
  const get = async (path: string, auth?: string): Promise<void> => {
    const asked = httpsGet(`${breakwater.url}/v2/${path}`, { ca: authority.ca, auth });
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    answer.resume();
    await once(answer, 'end');
  };
  await get('up/app/manifests/one');
  await get('up/app/manifests/one', 'nobody:wrong');
  const scraped = await (await fetch(`${breakwater.adminUrl}/metrics`)).text();
  const fed = new Set([...samplesIn(scraped), ...samplesIn(await metrics.scrape())]);
  deepEqual(
    metrics.described.map(({ name }) => name).filter((name) => !fed.has(name)),
    [],
  );
});

/** The metrics that have a sample in a text of `/metrics`, histograms without their suffixes. */
function samplesIn(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('breakwater_'))
    .map((line) => line.replace(/[{ ].*$/, ''))
    .flatMap((name) => [name, name.replace(/_(?:bucket|sum|count)$/, '')]);
}

async function fullStorage(): Promise<Storage> {
  const storage = await createMemoryStorage();
  const space = () => Promise.resolve({ freeBytes: 0, totalBytes: 1024 ** 4 });
  return { ...storage, blobs: { ...storage.blobs, space } };
}

/** Has an image under the tag `one`. */
async function openApp(): Promise<ScriptedRegistry> {
  const registry = await openScriptedRegistry();
  registry.manifest(imageOf(layer), { tag: 'one' });
  for (const bytes of [layer, emptyJson]) registry.blob(Buffer.from(bytes));
  return registry;
}

async function settle(work: Promise<unknown>): Promise<unknown> {
  return await work.catch((error: unknown) => error);
}
