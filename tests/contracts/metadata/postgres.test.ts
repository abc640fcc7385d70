import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { KyselyPlugin } from 'kysely';
import { Kysely, PostgresDialect } from 'kysely';
import { Client, Pool } from 'pg';
import type { Metadata } from '../../../src/metadata/contract/metadata.ts';
import { schemaVersion } from '../../../src/metadata/engine/migrate.ts';
import { openPostgresMetadata } from '../../../src/metadata/engine/postgres.ts';
import type { PostgresCluster } from '../../support/processes/postgres.ts';
import { postgresMissing, startPostgres } from '../../support/processes/postgres.ts';
import { earlierVersions } from './earlier-versions.ts';
import { metadataRows } from './rows.ts';
import { keyOf, manifestInput, push, pushInput, tagOf } from './samples.ts';

suite('metadata on PostgreSQL', { skip: postgresMissing() ?? false }, () => {
  let cluster: PostgresCluster;
  before(async () => {
    cluster = await startPostgres();
  });
  after(() => cluster[Symbol.asyncDispose]());
  for (const row of metadataRows) {
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
      const stored = await metadata.manifests.storeManifest(input).then(
        () => true,
        () => false,
      );
      remaining = 0;
      equal(
        (await metadata.manifests.findManifest(input, input.manifest.digest)) !== undefined,
        stored,
      );
      equal((await metadata.tags.findTag(input, tagOf('x'))) !== undefined, stored);
      await metadata.manifests.storeManifest(input);
      equal((await metadata.manifests.findChildren(input, input.manifest.digest)).length, 3);
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
          await metadata.manifests.storeManifest(
            manifestInput(input.repository, 'shared', { tag: 'y' }),
          );
          if (index === 0) await metadata.manifests.deleteManifest({ ...input, digest });
          else await metadata.repositories.deleteRepository({ ...input, force: true });
        }
      }),
    );
    await Promise.all(work);
    for (const input of inputs) {
      equal((await push(both[0], input)).kind, 'stored');
      ok(await both[1].manifests.findManifest(input, input.manifest.digest));
    }
    for (const metadata of both) await metadata[Symbol.asyncDispose]();
  });

  test('keeps a tag that may not move from two processes at once', async () => {
    const url = await cluster.createDatabase();
    const both = await Promise.all([openPostgresMetadata(url), openPostgresMetadata(url)]);
    const tagMutability = { mode: 'IMMUTABLE', exclusions: [] } as const;
    await both[0].repositories.createRepository({ ...keyOf('team/app'), tagMutability, now: 1 });
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

  test("makes changes of a principal's tags from two processes at once, each of them", async () => {
    const url = await cluster.createDatabase();
    const both = await Promise.all([openPostgresMetadata(url), openPostgresMetadata(url)]);
    const owner = { account: '111122223333', name: 'alice' };
    await both[0].identities.createPrincipal({ ...owner, kind: 'user', createdAt: 1 });
    const add = (metadata: Metadata, tag: string) =>
      metadata.identities.changePrincipalTags({
        ...owner,
        remove: [],
        set: [{ key: tag, value: '' }],
        tagsMax: 99,
      });
    await Promise.all(
      both.flatMap((metadata, process) =>
        Array.from({ length: 20 }, (_, at) => add(metadata, `${process} ${at}`)),
      ),
    );
    const row = await both[1].identities.findPrincipal(owner.account, owner.name);
    equal(row?.tags?.length, 40);
    for (const metadata of both) await metadata[Symbol.asyncDispose]();
  });

  test('takes nothing with a user that is deleted for having nothing, whatever another process makes of it', async () => {
    const url = await cluster.createDatabase();
    const both = await Promise.all([openPostgresMetadata(url), openPostgresMetadata(url)]);
    const owner = { account: '111122223333', name: 'alice' };
    const of = { account: owner.account, principal: owner.name, name: 'x' };
    const made = { active: true, createdAt: 1, expiresAt: undefined, lastUsedAt: undefined };
    const { identities } = both[1];
    const makers: readonly ((round: number) => Promise<string>)[] = [
      (at) => identities.createAccessKey({ ...owner, ...made, id: `k${at}`, sealedSecret: '' }),
      (at) => identities.createToken({ ...of, ...made, id: `t${at}`, hash: `${at}`, scopes: [] }),
      () => identities.putIdentityPolicy({ ...of, text: '{}', updatedAt: 1 }),
    ];
    for (let round = 0; round < 60; round += 1) {
      await both[0].identities.createPrincipal({ ...owner, kind: 'user', createdAt: 1 });
      const [removed, outcome] = await Promise.all([
        both[0].identities.deleteUnusedPrincipal(owner),
        makers[round % makers.length]?.(round),
      ]);
      equal(removed === 'deleted', outcome === 'noPrincipal', `${removed}, ${outcome}`);
      await both[0].identities.deletePrincipal(owner);
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
    await Promise.all(both.map((one) => one.manifests.storeManifest(input)));
    for (const one of both) {
      equal((await one.manifests.findChildren(input, input.manifest.digest)).length, 3);
      await one[Symbol.asyncDispose]();
    }
  });
});
