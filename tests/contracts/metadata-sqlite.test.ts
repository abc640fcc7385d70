import { deepEqual, doesNotMatch, equal, ok, rejects } from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, suite, test } from 'node:test';
import { Kysely } from 'kysely';
import { findBlobClaim } from '../../src/metadata/blobs.ts';
import {
  findChildren,
  findManifest,
  findManifestInfo,
  listReferrers,
} from '../../src/metadata/manifests.ts';
import type { MetadataError } from '../../src/metadata/metadata-error.ts';
import { schemaVersion } from '../../src/metadata/migrate.ts';
import { nodeSqliteDialect } from '../../src/metadata/node-sqlite-dialect.ts';
import { listPulls } from '../../src/metadata/pulls.ts';
import { findRepository } from '../../src/metadata/repositories.ts';
import type { Schema, Sql } from '../../src/metadata/schema.ts';
import { openSqliteWriter } from '../../src/metadata/sqlite-writer.ts';
import { metadataOn, openSqliteMetadata } from '../../src/metadata/sqlite.ts';
import { findTag, listTags, tagHistory } from '../../src/metadata/tags.ts';
import { startWriteThread, waitingMax } from '../../src/metadata/write-thread.ts';
import { digestOf, keyOf, manifestInput, tagOf } from './metadata-samples.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-sqlite-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function newFile(): string {
  const own = join(folder, `${(files += 1)}`);
  mkdirSync(own);
  return join(own, 'metadata.sqlite');
}

suite('metadata in a SQLite file', () => {
  test('is closed to others, and leaves no log behind when closed', async () => {
    const file = newFile();
    const metadata = await openSqliteMetadata(file);
    await metadata.storeManifest(manifestInput('quay.io/a', 'one'));
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
      await metadata.storeManifest(input);
    }
    await using metadata = await openSqliteMetadata(file);
    deepEqual(
      (await metadata.findManifest(input, input.manifest.digest))?.bytes,
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
    await (await openSqliteMetadata(file))[Symbol.asyncDispose]();
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
    await listTags(sql, key, '', 10);
    await tagHistory(sql, key, tagOf('x'), 10);
    await listReferrers(sql, key, digest);
    await findChildren(sql, key, digest);
    await findBlobClaim(sql, key, 'docker.io', digest);
    await listPulls(sql, 10);
    equal(seen.length, 10);
    for (const text of seen) {
      const parameters = Array.from(text.matchAll(/\?/g), () => null);
      const plan = database.prepare(`explain query plan ${text}`).all(...parameters);
      const details = plan.map((row) => String(row['detail'])).join('; ');
      doesNotMatch(
        details,
        /SCAN (?!CONSTANT ROW|child(?:;|$)|pull_records USING INDEX)/,
        `${text}: ${details}`,
      );
      doesNotMatch(details, /TEMP B-TREE/, `${text}: ${details}`);
    }
    database.close();
  });

  test('refuses writes beyond those that may wait', async () => {
    await using metadata = await openSqliteMetadata(newFile());
    const input = { ...keyOf('quay.io/a'), digest: digestOf('b'), private: false, now: 1 };
    const writes = Array.from({ length: waitingMax + 1 }, () => metadata.proveBlob(input));
    const results = await Promise.allSettled(writes);
    const refused = results.filter((result) => result.status === 'rejected');
    deepEqual(
      refused.map((result) => (result.reason as MetadataError).reason),
      ['busy'],
    );
    await metadata.proveBlob(input);
  });

  test('whose write thread dies rejects what waits, says so, still reads, and is started again', async () => {
    const file = newFile();
    const failures: MetadataError[] = [];
    const thread = await startWriteThread(file, (error) => failures.push(error));
    await using metadata = metadataOn(new DatabaseSync(file, { readOnly: true }), thread);
    const kept = manifestInput('quay.io/a', 'kept');
    await metadata.storeManifest(kept);
    const crashed = thread.crash();
    await rejects(metadata.storeManifest(manifestInput('quay.io/a', 'lost')), {
      reason: 'crashed',
    });
    await crashed;
    equal(failures.length, 1);
    await rejects(metadata.storeManifest(manifestInput('quay.io/a', 'down')), {
      reason: 'crashed',
    });
    ok(await metadata.findManifest(kept, kept.manifest.digest));
    const later = manifestInput('quay.io/a', 'later');
    while (!(await metadata.findManifest(later, later.manifest.digest))) {
      await metadata.storeManifest(later).catch((error: MetadataError) => {
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

suite('kill -9', () => {
  test('loses no acknowledged write', async () => {
    const file = newFile();
    let acknowledged = 0;
    for (let round = 0; round < 5; round += 1) {
      const child = fork(
        join(import.meta.dirname, 'metadata-killed.ts'),
        [file, String(acknowledged)],
        {
          stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        },
      );
      const enough = acknowledged + 20 + Math.floor(Math.random() * 200);
      child.on('message', (id: number) => {
        acknowledged = Math.max(acknowledged, id);
        if (id >= enough) child.kill('SIGKILL');
      });
      const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
      equal(signal, 'SIGKILL');
      await using metadata = await openSqliteMetadata(file);
      for (let id = 1; id <= acknowledged; id += 1) {
        const input = manifestInput('quay.io/killed', `image${id}`, { tag: `t${id}` });
        ok(
          await metadata.findManifest(input, input.manifest.digest),
          `manifest ${id} of ${acknowledged}`,
        );
        equal((await metadata.findTag(input, tagOf(`t${id}`)))?.digest, input.manifest.digest);
        equal((await metadata.findChildren(input, input.manifest.digest)).length, 3);
      }
    }
    ok(acknowledged >= 100);
  });
});
