import { deepEqual, doesNotMatch, equal, match, ok, rejects } from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, suite, test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { Kysely } from 'kysely';
import { mutableTags } from '../../../src/domain/names/tag-mutability.ts';
import type { MetadataError } from '../../../src/metadata/contract/metadata-error.ts';
import {
  listAccounts,
  listPrincipals,
  listTokens,
} from '../../../src/metadata/lists/identities.ts';
import {
  findPreviewResults,
  listDueLifecycles,
  listPreviewResults,
} from '../../../src/metadata/lists/lifecycles.ts';
import {
  countAttachments,
  listManagedPolicies,
  listPolicyHolders,
} from '../../../src/metadata/lists/managed-policies.ts';
import { listImages, listReferrers } from '../../../src/metadata/lists/manifests.ts';
import { listAudit, listPulls } from '../../../src/metadata/lists/records.ts';
import { listRoles } from '../../../src/metadata/lists/roles.ts';
import { listTagRows, listTags, tagHistory } from '../../../src/metadata/lists/tags.ts';
import { findBlobClaim, findBlobHolders } from '../../../src/metadata/reads/blobs.ts';
import {
  findAccessKey,
  findAccount,
  findPrincipal,
  findRegistryPolicy,
  findToken,
  listAccessKeys,
  listIdentityPolicies,
} from '../../../src/metadata/reads/identities.ts';
import { findRole } from '../../../src/metadata/reads/roles.ts';
import { findCall } from '../../../src/metadata/reads/calls.ts';
import { findLifecycle, findPreview } from '../../../src/metadata/reads/lifecycles.ts';
import {
  findManagedPolicy,
  listAttachedPolicies,
  listPolicyVersions,
} from '../../../src/metadata/reads/managed-policies.ts';
import { imagesOfRepository } from '../../../src/metadata/rows/lifecycle-images.ts';
import {
  findChildren,
  findManifest,
  findManifestInfo,
} from '../../../src/metadata/reads/manifests.ts';
import { findRepository, listRepositories } from '../../../src/metadata/reads/repositories.ts';
import { findSecret, findSecretValue } from '../../../src/metadata/reads/secrets.ts';
import { findTag } from '../../../src/metadata/reads/tags.ts';
import { pruneAudit } from '../../../src/metadata/writes/records.ts';
import { schemaVersion } from '../../../src/metadata/engine/migrate.ts';
import { nodeSqliteDialect } from '../../../src/metadata/engine/node-sqlite-dialect.ts';
import type { Schema, Sql } from '../../../src/metadata/sql/schema.ts';
import { openSqliteWriter } from '../../../src/metadata/engine/sqlite-writer.ts';
import { openSqliteMetadata } from '../../../src/metadata/engine/sqlite.ts';
import { waitingMax } from '../../../src/metadata/engine/write-thread.ts';
import { earlierVersions } from './earlier-versions.ts';
import { metadataRows } from './rows.ts';
import { home, indexInput, keyOf, manifestInput, push, pushInput, tagOf } from './samples.ts';
import { digestOf } from '../../support/samples/digest.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-sqlite-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A constant, a row of values, rows already bounded, or rows in the order of an index are no walk. */
const tableWalk =
  /SCAN (?!CONSTANT ROW|\d+-ROW VALUES CLAUSE|accounts(?:;|$)|child(?:;|$)|youngest(?:;|$)|pull_records USING INDEX)/;

function planOf(database: DatabaseSync, text: string): string {
  const parameters = Array.from(text.matchAll(/\?/g), () => null);
  const plan = database.prepare(`explain query plan ${text}`).all(...parameters);
  return plan.map((row) => String(row['detail'])).join('; ');
}

let files = 0;
function newFile(): string {
  const own = join(folder, `${(files += 1)}`);
  mkdirSync(own);
  return join(own, 'metadata.sqlite');
}

suite('metadata on SQLite', () => {
  for (const row of metadataRows) {
    test(row.name, async () => {
      await using metadata = await openSqliteMetadata(newFile());
      await row.run(metadata);
    });
  }
});

suite('metadata in a SQLite file', () => {
  test('is closed to others, and leaves no log behind when closed', async () => {
    const file = newFile();
    const metadata = await openSqliteMetadata(file);
    await metadata.manifests.storeManifest(manifestInput('quay.io/a', 'one'));
    for (const name of readdirSync(join(file, '..'))) {
      equal(statSync(join(file, '..', name)).mode & 0o077, 0, name);
    }
    await metadata[Symbol.asyncDispose]();
    deepEqual(readdirSync(join(file, '..')), ['metadata.sqlite']);
  });

  test('is there again when it is opened again', async () => {
    const file = newFile();
    const input = manifestInput('quay.io/a', 'one', { tag: 'x' });
    {
      await using metadata = await openSqliteMetadata(file);
      await metadata.manifests.storeManifest(input);
    }
    await using metadata = await openSqliteMetadata(file);
    deepEqual(
      (await metadata.manifests.findManifest(input, input.manifest.digest))?.bytes,
      input.manifest.bytes,
    );
  });

  test('of a newer version is refused and left as it was', async () => {
    const file = newFile();
    await (await openSqliteMetadata(file))[Symbol.asyncDispose]();
    const database = new DatabaseSync(file);
    database.exec(`insert into schema_migrations values (${schemaVersion + 1}, 'later', 0)`);
    database.close();
    await rejects(openSqliteMetadata(file), {
      name: 'MetadataError',
      reason: 'version',
      message: new RegExp(`schema version ${schemaVersion + 1}.*up to ${schemaVersion}`),
    });
  });

  test('that is no database is a clear error', async () => {
    const file = newFile();
    writeFileSync(file, 'x'.repeat(8192));
    await rejects(openSqliteMetadata(file), {
      name: 'MetadataError',
      reason: 'failed',
      message: /not a database/,
    });
  });

  test('in a folder that cannot be made is a clear error', async () => {
    const file = newFile();
    writeFileSync(file, '');
    await rejects(openSqliteMetadata(join(file, 'below', 'x.sqlite')), {
      name: 'MetadataError',
      reason: 'failed',
    });
  });

  test('finds everything by an index: no read walks a table', async () => {
    const file = newFile();
    {
      await using metadata = await openSqliteMetadata(file);
      await push(metadata, pushInput('quay.io/a', 'one'));
    }
    const database = new DatabaseSync(file);
    const seen: string[] = [];
    const sql: Sql = new Kysely<Schema>({
      dialect: nodeSqliteDialect(database, (text) => seen.push(text)),
    });
    const key = keyOf('quay.io/a');
    const digest = digestOf('one');
    await findRepository(sql, key);
    await findManifest(sql, key, digest);
    await findManifestInfo(sql, key, digest);
    await findTag(sql, key, tagOf('x'));
    await listTags(sql, key, '', 10, undefined);
    await tagHistory(sql, key, tagOf('x'), 10);
    await listReferrers(sql, key, digest, undefined);
    await findChildren(sql, key, digest);
    await findBlobClaim(sql, key, 'docker.io', digest);
    await listPulls(sql, 10);
    await listRepositories(sql, home, { prefix: 'quay.io/', after: 'quay.io/a', limit: 10 });
    await listTagRows(sql, key, 'x', 10);
    await listImages(sql, key, undefined, 10);
    await listAccounts(sql);
    await findAccount(sql, 'x');
    await findPrincipal(sql, 'x', 'x');
    await findRole(sql, { account: 'x', name: 'x' });
    await listPrincipals(sql, 'x');
    await findAccessKey(sql, 'x');
    await listAccessKeys(sql, 'x', undefined);
    await findToken(sql, 'x');
    await listTokens(sql, 'x', 'x');
    await listIdentityPolicies(sql, 'x', 'x');
    await findRegistryPolicy(sql, home);
    await listAudit(sql, { account: undefined, before: 5, limit: 10 });
    await listAudit(sql, { account: 'x', before: 5, limit: 10 });
    match(planOf(database, seen.at(-1) ?? ''), /USING INDEX audit_account/);
    await findLifecycle(sql, key);
    await findPreview(sql, key);
    await listDueLifecycles(sql, 1, 10);
    await listPreviewResults(sql, key, { after: undefined, untagged: undefined }, 10);
    await findPreviewResults(sql, key, [digest]);
    await imagesOfRepository(sql, key);
    const plans = seen.slice(-4).map((query) => planOf(database, query));
    match(plans[0] ?? '', /INDEX manifests_newest/);
    match(
      plans[1] ?? '',
      /COVERING INDEX tags_digest.*COVERING INDEX sqlite_autoindex_manifests_1/,
    );
    match(plans[2] ?? '', /COVERING INDEX manifest_children_manifests/);
    match(plans[3] ?? '', /COVERING INDEX manifests_subject/);
    await findSecret(sql, { registry: home, name: 'x' });
    await findSecretValue(sql, { registry: home, name: 'x', version: 'x' });
    await listRoles(sql, 'x');
    await findCall(sql, 'x', 1);
    await findManagedPolicy(sql, { account: 'x', name: 'x' });
    await listPolicyVersions(sql, { account: 'x', name: 'x' });
    await listAttachedPolicies(sql, 'x', 'x');
    await listManagedPolicies(sql, 'x');
    await countAttachments(sql, 'x');
    await listPolicyHolders(sql, 'x', 'x');
    equal(seen.length, 50);
    for (const text of seen) {
      const plan = planOf(database, text);
      doesNotMatch(plan, tableWalk, `${text}: ${plan}`);
      doesNotMatch(plan, /TEMP B-TREE/, `${text}: ${plan}`);
    }
    for (const [kind, index] of [
      ['anonymousDenial', 'audit_anonymous_denials'],
      ['denial', 'audit_denials'],
      ['login', 'audit_logins'],
      ['change', 'audit_changes'],
    ] as const) {
      await pruneAudit(sql, { kind, before: 1, now: 2, rowsMax: 1 });
      for (const text of seen.slice(-2))
        match(planOf(database, text), new RegExp(`COVERING INDEX ${index}\\b`), text);
    }
    await findBlobHolders(sql, home, digest, 10);
    const holders = planOf(database, seen.at(-1) ?? '');
    doesNotMatch(holders, tableWalk, holders);
    database.close();
  });

  test('writes by an index: no write walks a table', async () => {
    const file = newFile();
    const seen = new Set<string>();
    const writer = await openSqliteWriter(file, (text) => seen.add(text));
    const image = pushInput('quay.io/a', 'one', { tags: ['x'] });
    const index = indexInput('quay.io/a', [image], { tags: ['y'] });
    const { digest } = image.manifest;
    const principal = { account: 'x', name: 'x' };
    const at = [{ id: 'x', at: 1 }];
    const previewPages = [
      { untagged: true, firstDigest: digest, results: new TextEncoder().encode('[]') },
    ];
    const previewEnd = {
      id: 'x',
      status: 'complete',
      expiring: 0,
      transitioning: 0,
      now: 1,
    } as const;
    seen.clear();
    const outcomes = await writer.run([
      { name: 'storeManifest', input: manifestInput('quay.io/a', 'two') },
      { name: 'putManifest', input: image },
      ...[...image.parsed.layers, ...(image.parsed.config ? [image.parsed.config] : [])].map(
        (blob) => ({ name: 'holdBlob' as const, input: { ...image, digest: blob.digest } }),
      ),
      { name: 'putManifest', input: image },
      { name: 'putManifest', input: index },
      { name: 'setTagMutability', input: { ...image, tagMutability: mutableTags } },
      { name: 'releaseBlob', input: { ...image, digest } },
      { name: 'deleteTag', input: { ...image, tag: tagOf('x') } },
      { name: 'deleteManifest', input: { ...image, digest } },
      { name: 'expireManifests', input: { ...image, images: [{ digest, tags: [] }] } },
      {
        name: 'expireManifests',
        input: { ...image, images: [{ digest: index.manifest.digest, tags: [tagOf('y')] }] },
      },
      { name: 'putLifecycle', input: { ...image, text: 'x', now: 1, dueAt: 1 } },
      { name: 'recordEvaluation', input: { ...image, text: 'x', evaluatedAt: 1, dueAt: 1 } },
      { name: 'deleteLifecycle', input: image },
      { name: 'beginPreview', input: { ...image, id: 'x', text: 'x', now: 1, staleBefore: 1 } },
      { name: 'addPreviewPages', input: { ...image, id: 'x', pages: previewPages } },
      { name: 'endPreview', input: { ...image, ...previewEnd } },
      { name: 'expirePreview', input: { before: 9 } },
      { name: 'deleteRepository', input: { ...image, force: false } },
      { name: 'deleteRepository', input: { ...image, force: true } },
      { name: 'dropDeleted', input: { rowsMax: 100 } },
      { name: 'createPrincipal', input: { ...principal, kind: 'user', createdAt: 1 } },
      {
        name: 'putIdentityPolicy',
        input: { ...principal, principal: 'x', text: '', updatedAt: 1 },
      },
      { name: 'touchCredentials', input: { keys: at, tokens: at } },
      { name: 'deleteToken', input: { ...principal, principal: 'x' } },
      { name: 'deleteAccessKey', input: { id: 'x' } },
      { name: 'changePrincipalTags', input: { ...principal, remove: [], set: [], tagsMax: 1 } },
      { name: 'deleteUnusedPrincipal', input: principal },
      { name: 'deletePrincipal', input: principal },
      { name: 'setRegistryPolicy', input: { registry: home, text: undefined, now: 1 } },
    ]);
    deepEqual(
      outcomes.map((outcome) => outcome.ok),
      outcomes.map(() => true),
      JSON.stringify(outcomes),
    );
    writer.close();
    const database = new DatabaseSync(file);
    const statements = [...seen].filter((text) => /^(?:select|insert|update|delete)/.test(text));
    ok(statements.length > 35, `${statements.length} statements`);
    for (const text of statements) {
      const plan = planOf(database, text);
      doesNotMatch(plan, tableWalk, `${text}: ${plan}`);
    }
    database.close();
  });

  test('refuses writes beyond those that may wait', async () => {
    await using metadata = await openSqliteMetadata(newFile());
    const input = {
      ...keyOf('quay.io/a'),
      rule: 'samples',
      digest: digestOf('b'),
      private: false,
      now: 1,
    };
    const writes = Array.from({ length: waitingMax + 1 }, () => metadata.blobs.proveBlob(input));
    const results = await Promise.allSettled(writes);
    const refused = results.filter((result) => result.status === 'rejected');
    deepEqual(
      refused.map((result) => (result.reason as MetadataError).reason),
      ['busy'],
    );
    await metadata.blobs.proveBlob(input);
  });

  test('whose write thread dies rejects what waits, says so, still reads, and is started again', async () => {
    const file = newFile();
    const failures: MetadataError[] = [];
    const workers: Worker[] = [];
    process.on('worker', (worker) => workers.push(worker));
    await using metadata = await openSqliteMetadata(file, {
      onFailure: (error) => failures.push(error),
    });
    process.removeAllListeners('worker');
    equal(workers.length, 1);
    const kept = manifestInput('quay.io/a', 'kept');
    await metadata.manifests.storeManifest(kept);
    const crashed = workers[0]?.terminate();
    await rejects(metadata.manifests.storeManifest(manifestInput('quay.io/a', 'lost')), {
      reason: 'crashed',
    });
    await crashed;
    equal(failures.length, 1);
    await rejects(metadata.manifests.storeManifest(manifestInput('quay.io/a', 'down')), {
      reason: 'crashed',
    });
    ok(await metadata.manifests.findManifest(kept, kept.manifest.digest));
    const later = manifestInput('quay.io/a', 'later');
    while (!(await metadata.manifests.findManifest(later, later.manifest.digest))) {
      await metadata.manifests.storeManifest(later).catch((error: MetadataError) => {
        equal(error.reason, 'crashed');
        return new Promise((resolve) => setTimeout(resolve, 20));
      });
    }
    equal(failures.length, 1);
  });
});

suite('a statement that fails', () => {
  test('leaves a manifest whole or absent, whichever it is, and the write can be repeated', async () => {
    let remaining = 0;
    const file = newFile();
    const writer = await openSqliteWriter(file, () => {
      if ((remaining -= 1) === 0) throw new Error('disk I/O error');
    });
    const reader = new DatabaseSync(file, { readOnly: true });
    const sql: Sql = new Kysely<Schema>({ dialect: nodeSqliteDialect(reader) });
    for (let nth = 1; ; nth += 1) {
      const input = manifestInput(`quay.io/r${nth}`, `image${nth}`, { tag: 'x' });
      remaining = nth;
      const [outcome] = await writer.run([{ name: 'storeManifest', input }]);
      const stored = await findManifest(sql, input, input.manifest.digest);
      equal(stored !== undefined, outcome?.ok, `statement ${nth}`);
      equal((await findTag(sql, input, tagOf('x'))) !== undefined, outcome?.ok, `statement ${nth}`);
      equal((await findChildren(sql, input, input.manifest.digest)).length, outcome?.ok ? 3 : 0);
      remaining = 0;
      const [again] = await writer.run([{ name: 'storeManifest', input }]);
      equal(again?.ok, true);
      equal((await findChildren(sql, input, input.manifest.digest)).length, 3);
      if (outcome?.ok) {
        ok(nth > 8, `only ${nth} statements were failed`);
        break;
      }
    }
    reader.close();
    writer.close();
  });

  test('leaves a push whole or absent, and a deletion done or not, whichever it is', async () => {
    let remaining = 0;
    const file = newFile();
    const writer = await openSqliteWriter(file, () => {
      if ((remaining -= 1) === 0) throw new Error('disk I/O error');
    });
    const reader = new DatabaseSync(file, { readOnly: true });
    const sql: Sql = new Kysely<Schema>({ dialect: nodeSqliteDialect(reader) });
    const counts = (repository: string): Promise<readonly number[]> => {
      const input = pushInput(repository, repository);
      return Promise.all([
        findManifest(sql, input, input.manifest.digest).then((one) => (one ? 1 : 0)),
        findChildren(sql, input, input.manifest.digest).then((rows) => rows.length),
        listTags(sql, input, '', 9, undefined).then((tags) => tags.length),
        listImages(sql, input, undefined, 9).then((images) => images.length),
      ]);
    };
    for (const { name, before, after } of [
      { name: 'putManifest', before: [0, 0, 0, 0], after: [1, 3, 2, 1] },
      { name: 'deleteManifest', before: [1, 3, 2, 1], after: [0, 0, 0, 0] },
      { name: 'deleteRepository', before: [1, 3, 2, 1], after: [0, 0, 0, 0] },
    ] as const) {
      for (let nth = 1; ; nth += 1) {
        const input = {
          ...pushInput(`${name}${nth}`, `${name}${nth}`, { tags: ['x', 'y'] }),
          digest: pushInput('', `${name}${nth}`).manifest.digest,
          force: true,
        };
        const { config, layers } = input.parsed;
        remaining = 0;
        for (const { digest } of [...(config ? [config] : []), ...layers])
          await writer.run([{ name: 'holdBlob', input: { ...input, digest } }]);
        if (name !== 'putManifest') await writer.run([{ name: 'putManifest', input }]);
        deepEqual(await counts(input.repository), before);
        remaining = nth;
        const [outcome] = await writer.run([{ name, input }]);
        deepEqual(await counts(input.repository), outcome?.ok ? after : before, `statement ${nth}`);
        remaining = 0;
        if (!outcome?.ok) await writer.run([{ name, input }]);
        deepEqual(await counts(input.repository), after);
        if (outcome?.ok) {
          ok(nth > 4, `only ${nth} statements of ${name} were failed`);
          break;
        }
      }
    }
    reader.close();
    writer.close();
  });

  test('in one write of a group leaves the others committed', async () => {
    let failing = '';
    const file = newFile();
    const writer = await openSqliteWriter(file, (text) => {
      if (failing !== '' && text.includes(failing)) {
        failing = '';
        throw new Error('disk I/O error');
      }
    });
    const batch = ['a', 'b', 'c'].map((content) => ({
      name: 'storeManifest' as const,
      input: manifestInput('quay.io/a', content),
    }));
    failing = 'insert into "manifest_children"';
    deepEqual(
      (await writer.run(batch)).map((outcome) => outcome.ok),
      [false, true, true],
    );
    failing = 'commit';
    deepEqual(
      (await writer.run(batch)).map((outcome) => outcome.ok),
      [false, false, false],
    );
    deepEqual(
      (await writer.run(batch)).map((outcome) => outcome.ok),
      [true, true, true],
    );
    writer.close();
  });
});

suite('what is deleted', () => {
  const tables = ['repositories', 'manifests', 'manifest_contents', 'manifest_children', 'tags'];
  const allTables = [...tables, 'tag_history', 'repository_blobs'];

  function countsIn(file: string): Record<string, unknown> {
    const database = new DatabaseSync(file, { readOnly: true });
    const counts = allTables.map((table) => [
      table,
      database.prepare(`select count(*) as n from ${table}`).get()?.['n'],
    ]);
    database.close();
    return Object.fromEntries(counts) as Record<string, unknown>;
  }

  test('leaves no row behind, and the bytes of a manifest until its last repository', async () => {
    const file = newFile();
    await using metadata = await openSqliteMetadata(file);
    const one = pushInput('team/app', 'one', { tags: ['x'] });
    const elsewhere = { ...one, ...keyOf('team/web') };
    await push(metadata, one);
    await metadata.manifests.deleteManifest({ ...one, digest: one.manifest.digest });
    equal(countsIn(file)['manifest_contents'], 0);
    await push(metadata, one);
    await push(metadata, elsewhere);
    await metadata.manifests.deleteManifest({ ...one, digest: one.manifest.digest });
    const counts = countsIn(file);
    deepEqual(
      tables.map((table) => counts[table]),
      [2, 1, 1, 3, 1],
    );
    await metadata.repositories.deleteRepository({ ...elsewhere, force: true });
    await metadata.repositories.deleteRepository({ ...one, force: false });
    deepEqual(Object.values(countsIn(file)), [0, 0, 0, 0, 0, 0, 0]);
  });

  test('goes when the file is opened again, where the deletion was cut short', async () => {
    const file = newFile();
    {
      await using metadata = await openSqliteMetadata(file);
      const input = pushInput('team/app', 'one', { tags: ['x', 'y'] });
      await push(metadata, input);
      await push(metadata, { ...input, ...keyOf('team/web') });
    }
    const writer = await openSqliteWriter(file);
    const key = { ...keyOf('team/app'), force: true };
    const [deleted] = await writer.run([{ name: 'deleteRepository', input: key }]);
    deepEqual(deleted, { ok: true, output: 'deleted' });
    await writer.run([{ name: 'dropDeleted', input: { rowsMax: 1 } }]);
    writer.close();
    equal(countsIn(file)['repositories'], 2);
    await using metadata = await openSqliteMetadata(file);
    deepEqual(Object.values(countsIn(file)), [1, 1, 1, 3, 2, 2, 3]);
    equal((await metadata.tags.listTags(keyOf('team/web'), '', 9, undefined)).length, 2);
  });
});

suite('a database', () => {
  for (const { what, make, check } of earlierVersions) {
    test(`of ${what}`, async () => {
      const file = newFile();
      const database = new DatabaseSync(file);
      const sql = new Kysely<unknown>({ dialect: nodeSqliteDialect(database) });
      await make(sql, 'sqlite');
      database.close();
      await using metadata = await openSqliteMetadata(file);
      await check(metadata);
    });
  }
});

suite('kill -9', () => {
  test('loses no acknowledged write', async () => {
    const file = newFile();
    let acknowledged = 0;
    for (let round = 0; round < 5; round += 1) {
      const child = fork(join(import.meta.dirname, 'killed.ts'), [file, String(acknowledged)], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      const enough = acknowledged + 20 + Math.floor(Math.random() * 200);
      child.on('message', (id: number) => {
        acknowledged = Math.max(acknowledged, id);
        if (id >= enough) child.kill('SIGKILL');
      });
      const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
      equal(signal, 'SIGKILL');
      await using metadata = await openSqliteMetadata(file);
      for (let id = 1; id <= acknowledged; id += 1) {
        for (const repository of ['quay.io/killed', 'team/killed']) {
          const input = manifestInput(repository, `image${id}`);
          const { digest } = input.manifest;
          ok(
            await metadata.manifests.findManifest(input, digest),
            `${repository} ${id} of ${acknowledged}`,
          );
          equal((await metadata.tags.findTag(input, tagOf(`t${id}`)))?.digest, digest);
          equal((await metadata.manifests.findChildren(input, digest)).length, 3);
        }
      }
      // Nothing is half there: what was pushed has its tag and children, acknowledged or not.
      const images = await metadata.manifests.listImages(keyOf('team/killed'), undefined, 1000);
      for (const image of images) {
        ok(image.tags.length > 0);
        equal(
          (await metadata.manifests.findChildren(keyOf('team/killed'), image.digest)).length,
          3,
        );
      }
    }
    ok(acknowledged >= 100);
  });
});
