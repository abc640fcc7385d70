import { deepEqual, equal } from 'node:assert/strict';
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { mutableTags } from '../../../src/domain/names/tag-mutability.ts';
import type { Metadata } from '../../../src/metadata/contract/metadata.ts';
import { up } from '../../../src/metadata/migrations/001-pull-cache.ts';
import { home, keyOf, push, pushInput, tagOf } from './samples.ts';
import { digestOf } from '../../support/samples/digest.ts';

const key = keyOf('quay.io/old');
const digest = digestOf('old');
const layer = digestOf('layer');

/** A database as the first release made it, with one image in it. */
export async function makeFirstDatabase(
  database: Kysely<unknown>,
  dialect: 'sqlite' | 'postgres',
): Promise<void> {
  const integer = sql.raw(dialect === 'sqlite' ? 'integer' : 'bigint');
  await sql`create table schema_migrations (version ${integer} primary key, name text not null, applied_at ${integer} not null)`.execute(
    database,
  );
  await up(database, dialect);
  await sql`insert into schema_migrations values (1, 'pull-cache', 0)`.execute(database);
  await sql`insert into repositories (registry, name, private, stopped_at, stopped_reason, created_at) values (${home}, ${key.repository}, 1, 7, 'upstream says 401', 5)`.execute(
    database,
  );
  await sql`insert into manifest_contents values (${digest}, ${Buffer.from('{}')})`.execute(
    database,
  );
  await sql`insert into manifests (repository_id, digest, media_type, size, created_at, last_pulled_at) values (1, ${digest}, 'm', 2, 5, 6)`.execute(
    database,
  );
  await sql`insert into manifest_children (manifest_id, position, repository_id, role, digest, media_type, size) values (1, 0, 1, 'layer', ${layer}, 'l', 40)`.execute(
    database,
  );
  await sql`insert into tags values (1, 'x', ${digest}, 'm', 2, 's', 5, 'ok', 6)`.execute(database);
}

/** All of it is there, came from upstream, and can be built upon. */
export async function checkFirstContent(metadata: Metadata): Promise<void> {
  deepEqual(await metadata.repositories.findRepository(key), {
    private: true,
    stopped: { at: 7, reason: 'upstream says 401' },
    createdAt: 5,
    pushed: false,
    tagMutability: mutableTags,
    policy: undefined,
  });
  const tag = { digest, mediaType: 'm', size: 2, source: 's', validatedAt: 5 };
  deepEqual(await metadata.tags.findTag(key, tagOf('x')), {
    ...tag,
    tag: 'x',
    status: 'ok',
    provenance: 'cached',
  });
  deepEqual(await metadata.tags.listTagRows(key, '', 9), [
    { ...tag, tag: 'x', provenance: 'cached', lastPulledAt: 6 },
  ]);
  deepEqual(await metadata.manifests.findManifest(key, digest), {
    digest,
    mediaType: 'm',
    bytes: new Uint8Array(Buffer.from('{}')),
  });
  deepEqual(await metadata.manifests.listImages(key, undefined, 9), [
    {
      digest,
      mediaType: 'm',
      artifactType: undefined,
      size: 42,
      tags: ['x'],
      provenance: 'cached',
      createdAt: 5,
      lastPulledAt: 6,
      subject: undefined,
    },
  ]);
  await metadata.tags.validateTag({ ...key, tag: tagOf('x'), source: 's', validatedAt: 9 });
  equal((await metadata.tags.findTag(key, tagOf('x')))?.validatedAt, 9);
  const result = await push(metadata, pushInput(key.repository, 'new', { tags: ['x'] }));
  deepEqual(result, { kind: 'stored', added: true, hides: ['x'], createdRepository: false });
}
