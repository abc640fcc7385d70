import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { KyselyPlugin } from 'kysely';
import { Kysely, PostgresDialect } from 'kysely';
import { Client, Pool } from 'pg';
import { mutableTags } from '../../src/domain/names/tag-mutability.ts';
import { MetadataError } from '../../src/metadata/contract/metadata-error.ts';
import type { StoreManifestInput } from '../../src/metadata/contract/metadata.ts';
import { schemaVersion } from '../../src/metadata/engine/migrate.ts';
import { openPostgresMetadata } from '../../src/metadata/engine/postgres.ts';
import { openSqliteMetadata } from '../../src/metadata/engine/sqlite.ts';
import type { PostgresCluster } from '../support/processes/postgres.ts';
import { postgresMissing, startPostgres } from '../support/processes/postgres.ts';
import { accessRows } from './metadata-access-rows.ts';
import { earlierVersions } from './metadata-earlier-versions.ts';
import { pushRows } from './metadata-push-rows.ts';
import { registryRows } from './metadata-registry-rows.ts';
import type { MetadataRow } from './metadata-row.ts';
import { home, keyOf, manifestInput, push, pushInput, tagOf } from './metadata-samples.ts';
import { digestOf } from '../support/samples/digest.ts';

const hourMs = 3_600_000;

/** A repository of which only pulls know. */
const unset = { pushed: false, tagMutability: mutableTags, policy: undefined };

const pullRows: readonly MetadataRow[] = [
  {
    name: 'what was never stored is not there',
    async run(metadata) {
      const key = keyOf('docker.io/library/nginx');
      equal(await metadata.findRepository(key), undefined);
      equal(await metadata.findManifest(key, digestOf('a')), undefined);
      equal(await metadata.findManifestInfo(key, digestOf('a')), undefined);
      equal(await metadata.findTag(key, tagOf('1')), undefined);
      deepEqual(await metadata.listTags(key, '', 10, undefined), []);
      deepEqual(await metadata.tagHistory(key, tagOf('1'), 10), []);
      deepEqual(await metadata.listReferrers(key, digestOf('a'), undefined), []);
      deepEqual(await metadata.findChildren(key, digestOf('a')), []);
      deepEqual(await metadata.listPulls(10), []);
      deepEqual(await metadata.findBlobClaim(key, 'docker.io', digestOf('a')), {
        held: undefined,
        fetchedBytes: undefined,
        namedBytes: undefined,
      });
    },
  },
  {
    name: 'a manifest comes back in its exact bytes, with its children in order and its tag',
    async run(metadata) {
      const input = manifestInput('docker.io/library/nginx', 'one', { tag: '1.27' });
      await metadata.storeManifest(input);
      const stored = { ...input.manifest, rule: 'samples' };
      deepEqual(await metadata.findManifest(input, input.manifest.digest), stored);
      deepEqual(await metadata.findManifestInfo(input, input.manifest.digest), {
        mediaType: input.manifest.mediaType,
        size: input.manifest.bytes.byteLength,
        rule: 'samples',
      });
      deepEqual(await metadata.findChildren(input, input.manifest.digest), [
        { role: 'config', ...input.parsed.config },
        ...input.parsed.layers.map((layer) => ({ role: 'layer', ...layer })),
      ]);
      deepEqual(await metadata.findTag(input, tagOf('1.27')), {
        tag: '1.27',
        digest: input.manifest.digest,
        mediaType: input.manifest.mediaType,
        size: input.manifest.bytes.byteLength,
        source: 'https://registry.test/nginx',
        validatedAt: 1000,
        status: 'ok',
        provenance: 'cached',
      });
      deepEqual(await metadata.findRepository(input), {
        private: false,
        stopped: undefined,
        createdAt: 1000,
        ...unset,
      });
    },
  },
  {
    name: 'the children of an index keep their platforms, and foreign layers their urls',
    async run(metadata) {
      const image = manifestInput('docker.io/library/nginx', 'index');
      const platform = { os: 'linux', architecture: 'arm', variant: 'v7' };
      const child = { mediaType: 'm', digest: digestOf('child'), size: 7, platform };
      const plain = {
        mediaType: 'm',
        digest: digestOf('other'),
        size: 8,
        platform: { os: 'linux', architecture: 'amd64' },
      };
      const foreign = {
        mediaType: 'f',
        digest: digestOf('foreign'),
        size: 9,
        urls: ['https://elsewhere.test/x'],
      };
      const parsed = {
        ...image.parsed,
        config: undefined,
        manifests: [child, plain],
        layers: [foreign],
      };
      await metadata.storeManifest({ ...image, parsed });
      deepEqual(await metadata.findChildren(image, image.manifest.digest), [
        { role: 'manifest', ...child },
        { role: 'manifest', ...plain },
        { role: 'layer', ...foreign },
      ]);
    },
  },
  {
    name: 'a manifest of a thousand children is stored whole',
    async run(metadata) {
      const image = manifestInput('docker.io/library/wide', 'wide');
      const layers = Array.from({ length: 1000 }, (_, index) => ({
        mediaType: 'l',
        digest: digestOf(`wide${index}`),
        size: index,
      }));
      await metadata.storeManifest({ ...image, parsed: { ...image.parsed, layers } });
      equal((await metadata.findChildren(image, image.manifest.digest)).length, 1001);
    },
  },
  {
    name: 'storing a manifest again changes nothing but times',
    async run(metadata) {
      const input = manifestInput('quay.io/a', 'one', { tag: 'x' });
      await metadata.storeManifest(input);
      await metadata.storeManifest({
        ...input,
        now: 2000,
        ...(input.tag && { tag: { ...input.tag, validatedAt: 2000 } }),
      });
      equal((await metadata.findChildren(input, input.manifest.digest)).length, 3);
      deepEqual(await metadata.tagHistory(input, tagOf('x'), 10), [
        { digest: input.manifest.digest, seenAt: 1000 },
      ]);
      equal((await metadata.findTag(input, tagOf('x')))?.validatedAt, 2000);
    },
  },
  {
    name: 'T33: two registries and two repositories of the same content share nothing but bytes',
    async run(metadata) {
      const input = manifestInput('quay.io/a', 'one', { tag: 'x' });
      await metadata.storeManifest(input);
      const elsewhere = { ...input, registry: '111122223333/eu-west-1' as const };
      equal(await metadata.findManifest(elsewhere, input.manifest.digest), undefined);
      equal(await metadata.findManifest(keyOf('quay.io/b'), input.manifest.digest), undefined);
      equal(await metadata.findTag(elsewhere, tagOf('x')), undefined);
      await metadata.storeManifest({ ...input, ...keyOf('quay.io/b') });
      deepEqual(
        (await metadata.findManifest(keyOf('quay.io/b'), input.manifest.digest))?.bytes,
        input.manifest.bytes,
      );
    },
  },
  {
    name: 'a tag that moves keeps each digest that it has had, newest first',
    async run(metadata) {
      const one = manifestInput('quay.io/a', 'one', { tag: 'x' });
      const two = manifestInput('quay.io/a', 'two', { tag: 'x' });
      await metadata.storeManifest(one);
      await metadata.storeManifest({ ...two, now: 2000 });
      await metadata.storeManifest({ ...one, now: 3000 });
      equal((await metadata.findTag(one, tagOf('x')))?.digest, one.manifest.digest);
      deepEqual(await metadata.tagHistory(one, tagOf('x'), 10), [
        { digest: two.manifest.digest, seenAt: 2000 },
        { digest: one.manifest.digest, seenAt: 1000 },
      ]);
      equal((await metadata.tagHistory(one, tagOf('x'), 1)).length, 1);
    },
  },
  {
    name: 'a tag is set without its manifest, validated and marked',
    async run(metadata) {
      const key = keyOf('quay.io/a');
      const tag = {
        ...key,
        tag: tagOf('x'),
        digest: digestOf('one'),
        mediaType: 'm',
        size: 5,
        source: 's',
        validatedAt: 10,
        private: true,
      };
      await metadata.setTag(tag);
      deepEqual(await metadata.findTag(key, tag.tag), {
        tag: 'x',
        digest: tag.digest,
        mediaType: 'm',
        size: 5,
        source: 's',
        validatedAt: 10,
        status: 'ok',
        provenance: 'cached',
      });
      equal((await metadata.findRepository(key))?.private, true);
      equal((await metadata.tagHistory(key, tag.tag, 10)).length, 1);
      await metadata.markTag({ ...key, tag: tag.tag, status: 'gone' });
      equal((await metadata.findTag(key, tag.tag))?.status, 'gone');
      await metadata.validateTag({ ...key, tag: tag.tag, source: 'other', validatedAt: 20 });
      const validated = await metadata.findTag(key, tag.tag);
      deepEqual(
        [validated?.status, validated?.source, validated?.validatedAt],
        ['ok', 'other', 20],
      );
      await metadata.markTag({ ...key, tag: tagOf('absent'), status: 'gone' });
      equal(await metadata.findTag(key, tagOf('absent')), undefined);
    },
  },
  {
    name: 'tags are listed in byte order, after one, so many',
    async run(metadata) {
      for (const tag of ['b', 'B', '_x', 'a-1', 'a.1', 'a1']) {
        await metadata.storeManifest(manifestInput('quay.io/a', 'one', { tag }));
      }
      const key = keyOf('quay.io/a');
      deepEqual(await metadata.listTags(key, '', 10, undefined), [
        'B',
        '_x',
        'a-1',
        'a.1',
        'a1',
        'b',
      ]);
      deepEqual(await metadata.listTags(key, '_x', 2, undefined), ['a-1', 'a.1']);
      deepEqual(await metadata.listTags(key, 'aa', 10, undefined), ['b']);
    },
  },
  {
    name: 'referrers of a subject come with their artifact type and annotations',
    async run(metadata) {
      const subject = { mediaType: 'm', digest: digestOf('subject'), size: 3 };
      const bare = manifestInput('quay.io/a', 'bare');
      const full = manifestInput('quay.io/a', 'full');
      await metadata.storeManifest({ ...bare, parsed: { ...bare.parsed, subject } });
      await metadata.storeManifest({
        ...full,
        parsed: {
          ...full.parsed,
          subject,
          artifactType: 'application/vnd.sbom',
          annotations: { 'org.x': 'ü "q"' },
        },
      });
      await metadata.storeManifest(manifestInput('quay.io/a', 'unrelated'));
      const descriptor = (input: StoreManifestInput) => ({
        mediaType: input.manifest.mediaType,
        digest: input.manifest.digest,
        size: input.manifest.bytes.byteLength,
      });
      deepEqual(await metadata.listReferrers(bare, subject.digest, undefined), [
        descriptor(bare),
        {
          ...descriptor(full),
          artifactType: 'application/vnd.sbom',
          annotations: { 'org.x': 'ü "q"' },
        },
      ]);
      deepEqual(await metadata.listReferrers(keyOf('quay.io/b'), subject.digest, undefined), []);
    },
  },
  {
    name: 'T32: a blob that another repository or rule holds is no claim here',
    async run(metadata) {
      const input = manifestInput('private.test/a', 'one');
      const blob = input.parsed.layers[0]?.digest ?? digestOf('');
      await metadata.storeManifest(input);
      await metadata.recordFetch({
        ...input,
        rule: 'samples',
        digest: blob,
        size: 101,
        private: true,
        now: 5,
      });
      deepEqual(await metadata.findBlobClaim(input, 'samples', blob), {
        held: 'fetched',
        fetchedBytes: 101,
        namedBytes: 100,
      });
      equal((await metadata.findRepository(input))?.private, true);
      const nothing = { held: undefined, fetchedBytes: undefined, namedBytes: undefined };
      deepEqual(await metadata.findBlobClaim(input, 'led elsewhere', blob), nothing);
      deepEqual(await metadata.findBlobClaim(keyOf('docker.io/b'), 'docker.io', blob), nothing);
      const elsewhere = { ...input, registry: '111122223333/eu-west-1' as const };
      deepEqual(await metadata.findBlobClaim(elsewhere, 'samples', blob), nothing);
    },
  },
  {
    name: 'T47: a manifest that names a blob proves nothing of its bytes',
    async run(metadata) {
      const input = manifestInput('docker.io/b', 'one');
      const layer = input.parsed.layers[0];
      ok(layer);
      await metadata.storeManifest(input);
      const claim = { held: undefined, fetchedBytes: undefined, namedBytes: layer.size };
      deepEqual(await metadata.findBlobClaim(input, 'samples', layer.digest), claim);
      const proof = { ...input, digest: layer.digest, private: false, now: 6 };
      await metadata.proveBlob(proof);
      const proven = { ...claim, held: 'fetched' };
      deepEqual(await metadata.findBlobClaim(input, 'samples', layer.digest), proven);
    },
  },
  {
    name: 'a repository once private stays so',
    async run(metadata) {
      const input = manifestInput('private.test/a', 'one');
      await metadata.storeManifest({ ...input, private: true });
      await metadata.storeManifest(manifestInput('private.test/a', 'two'));
      equal((await metadata.findRepository(input))?.private, true);
    },
  },
  {
    name: 'a repository is stopped with its reason, and let go again',
    async run(metadata) {
      const key = keyOf('quay.io/a');
      await metadata.stopRepository({ ...key, reason: 'upstream says 401', now: 7 });
      deepEqual(await metadata.findRepository(key), {
        private: false,
        stopped: { at: 7, reason: 'upstream says 401' },
        createdAt: 7,
        ...unset,
      });
      await metadata.stopRepository({ ...key, reason: undefined, now: 8 });
      deepEqual(await metadata.findRepository(key), {
        private: false,
        stopped: undefined,
        createdAt: 7,
        ...unset,
      });
    },
  },
  {
    name: 'pulls are counted in their hour, the last time kept, newest first',
    async run(metadata) {
      const pull = {
        registry: home,
        clientAddress: '10.0.0.1',
        ns: '',
        image: 'quay.io/a:x',
        digest: undefined,
        verdict: 'hit',
      } as const;
      const at = 5 * hourMs + 10;
      await metadata.recordPulls([
        { ...pull, at },
        { ...pull, at: at + 5, count: 3 },
        { ...pull, at: at + hourMs },
      ]);
      await metadata.recordPulls([{ ...pull, at: at + 2 }]);
      deepEqual(await metadata.listPulls(10), [
        { ...pull, hour: 6 * hourMs, count: 1, lastAt: at + hourMs },
        { ...pull, hour: 5 * hourMs, count: 5, lastAt: at + 5 },
      ]);
      equal((await metadata.listPulls(1)).length, 1);
    },
  },
  {
    name: 'old pulls are dropped, then the oldest beyond the bound',
    async run(metadata) {
      const pull = {
        registry: home,
        clientAddress: 'c',
        ns: 'docker.io',
        digest: digestOf('d'),
        verdict: 'miss',
      } as const;
      await metadata.recordPulls(
        Array.from({ length: 1200 }, (_, index) => ({
          ...pull,
          image: `a:${1000 + index}`,
          at: index,
        })),
      );
      await metadata.prunePulls({ before: 100, now: 1200, rowsMax: 2000 });
      equal((await metadata.listPulls(2000)).length, 1100);
      await metadata.prunePulls({ before: 0, now: 1200, rowsMax: 10 });
      deepEqual(
        (await metadata.listPulls(2000)).map((row) => row.lastAt),
        [1199, 1198, 1197, 1196, 1195, 1194, 1193, 1192, 1191, 1190],
      );
    },
  },
  {
    name: 'of 200 writes at once the bad one fails alone, and the order of the others holds',
    async run(metadata) {
      const key = keyOf('quay.io/a');
      const bad = 77;
      const results = await Promise.allSettled(
        Array.from({ length: 200 }, (_, index) => {
          const input = manifestInput('quay.io/a', `image${index}`, { tag: 'latest' });
          return metadata.storeManifest(
            index === bad ? { ...input, now: null as unknown as number } : input,
          );
        }),
      );
      deepEqual(
        results.flatMap((result, index) => (result.status === 'rejected' ? [index] : [])),
        [bad],
      );
      ok((results[bad] as PromiseRejectedResult).reason instanceof MetadataError);
      equal(
        (await metadata.findTag(key, tagOf('latest')))?.digest,
        manifestInput('quay.io/a', 'image199').manifest.digest,
      );
      equal((await metadata.tagHistory(key, tagOf('latest'), 1000)).length, 199);
      equal(
        await metadata.findManifest(key, manifestInput('quay.io/a', `image${bad}`).manifest.digest),
        undefined,
      );
    },
  },
  {
    name: 'writes to many repositories at once all come through',
    async run(metadata) {
      const inputs = Array.from({ length: 200 }, (_, index) =>
        manifestInput(`quay.io/r${index % 20}`, `shared${index % 7}`, { tag: `t${index}` }),
      );
      await Promise.all(inputs.map((input) => metadata.storeManifest(input)));
      for (const input of inputs) ok(await metadata.findTag(input, input.tag?.tag ?? tagOf('')));
    },
  },
  {
    name: 'closing answers what waits, and refuses what comes after',
    async run(metadata) {
      const waiting = Array.from({ length: 50 }, (_, index) =>
        metadata.storeManifest(manifestInput('quay.io/a', `c${index}`)),
      );
      await metadata[Symbol.asyncDispose]();
      await Promise.all(waiting);
      await rejects(metadata.storeManifest(manifestInput('quay.io/a', 'late')), {
        name: 'MetadataError',
        reason: 'closed',
      });
      await rejects(metadata.findTag(keyOf('quay.io/a'), tagOf('x')), {
        name: 'MetadataError',
        reason: 'closed',
      });
    },
  },
];

const rows: readonly MetadataRow[] = [...pullRows, ...pushRows, ...registryRows, ...accessRows];

suite('metadata on SQLite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-metadata-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  rows.forEach((row, index) => {
    test(row.name, async () => {
      await using metadata = await openSqliteMetadata(join(folder, `${index}`, 'metadata.sqlite'));
      await row.run(metadata);
    });
  });
});

suite('metadata on PostgreSQL', { skip: postgresMissing() ?? false }, () => {
  let cluster: PostgresCluster;
  before(async () => {
    cluster = await startPostgres();
  });
  after(() => cluster[Symbol.asyncDispose]());
  for (const row of rows) {
    test(row.name, async () => {
      await using metadata = await openPostgresMetadata(await cluster.createDatabase());
      await row.run(metadata);
    });
  }

  test('a statement that fails leaves a manifest whole or absent, whichever it is', async () => {
    let remaining = 0;
    const failing: KyselyPlugin = {
      transformQuery(args) {
        if ((remaining -= 1) === 0) throw new Error('the connection broke');
        return args.node;
      },
      transformResult: (args) => Promise.resolve(args.result),
    };
    await using metadata = await openPostgresMetadata(await cluster.createDatabase(), {
      plugins: [failing],
    });
    for (let nth = 1; ; nth += 1) {
      const input = manifestInput(`quay.io/r${nth}`, `image${nth}`, { tag: 'x' });
      remaining = nth;
      const stored = await metadata.storeManifest(input).then(
        () => true,
        () => false,
      );
      remaining = 0;
      equal((await metadata.findManifest(input, input.manifest.digest)) !== undefined, stored);
      equal((await metadata.findTag(input, tagOf('x'))) !== undefined, stored);
      await metadata.storeManifest(input);
      equal((await metadata.findChildren(input, input.manifest.digest)).length, 3);
      if (stored) {
        ok(nth > 5, `only ${nth} statements were failed`);
        break;
      }
    }
  });

  test('of a newer version is refused', async () => {
    const url = await cluster.createDatabase();
    await (await openPostgresMetadata(url))[Symbol.asyncDispose]();
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query(`insert into schema_migrations values (${schemaVersion + 1}, 'later', 0)`);
    await client.end();
    await rejects(openPostgresMetadata(url), { name: 'MetadataError', reason: 'version' });
  });

  for (const { what, make, check } of earlierVersions) {
    test(`of ${what}`, async () => {
      const url = await cluster.createDatabase();
      const dialect = new PostgresDialect({ pool: new Pool({ connectionString: url }) });
      const kysely = new Kysely<unknown>({ dialect });
      await make(kysely, 'postgres');
      await kysely.destroy();
      await using metadata = await openPostgresMetadata(url);
      await check(metadata);
    });
  }

  test('takes the same pushes and deletions from two processes at once: none fails', async () => {
    const url = await cluster.createDatabase();
    const both = await Promise.all([openPostgresMetadata(url), openPostgresMetadata(url)]);
    const inputs = ['team/a', 'team/b', 'team/c'].map((name) =>
      pushInput(name, 'shared', { tags: ['x'] }),
    );
    const work = both.flatMap((metadata, index) =>
      inputs.map(async (input) => {
        const { digest } = input.manifest;
        for (let round = 0; round < 30; round += 1) {
          const { kind } = await push(metadata, input);
          ok(kind === 'stored' || kind === 'missing', kind);
          await metadata.storeManifest(manifestInput(input.repository, 'shared', { tag: 'y' }));
          if (index === 0) await metadata.deleteManifest({ ...input, digest });
          else await metadata.deleteRepository({ ...input, force: true });
        }
      }),
    );
    await Promise.all(work);
    for (const input of inputs) {
      equal((await push(both[0], input)).kind, 'stored');
      ok(await both[1].findManifest(input, input.manifest.digest));
    }
    for (const metadata of both) await metadata[Symbol.asyncDispose]();
  });

  test('keeps a tag that may not move from two processes at once', async () => {
    const url = await cluster.createDatabase();
    const both = await Promise.all([openPostgresMetadata(url), openPostgresMetadata(url)]);
    const tagMutability = { mode: 'IMMUTABLE', exclusions: [] } as const;
    await both[0].createRepository({ ...keyOf('team/app'), tagMutability, now: 1 });
    for (let round = 0; round < 20; round += 1) {
      const results = await Promise.all(
        both.map((metadata, index) =>
          push(metadata, pushInput('team/app', `${round} ${index}`, { tags: [`t${round}`] })),
        ),
      );
      deepEqual(results.map((result) => result.kind).toSorted(), ['immutable', 'stored']);
    }
    for (const metadata of both) await metadata[Symbol.asyncDispose]();
  });

  test('that cannot be reached is a clear error', async () => {
    await rejects(openPostgresMetadata('postgres://nobody@127.0.0.1:1/none'), {
      name: 'MetadataError',
      reason: 'failed',
      message: /PostgreSQL: .*ECONNREFUSED/,
    });
  });

  test('is opened by two processes at once', async () => {
    const url = await cluster.createDatabase();
    const both = await Promise.all([openPostgresMetadata(url), openPostgresMetadata(url)]);
    const input = manifestInput('quay.io/a', 'one', { tag: 'x' });
    await Promise.all(both.map((one) => one.storeManifest(input)));
    for (const one of both) {
      equal((await one.findChildren(input, input.manifest.digest)).length, 3);
      await one[Symbol.asyncDispose]();
    }
  });
});
