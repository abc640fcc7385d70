import { deepEqual, equal } from 'node:assert/strict';
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Metadata } from '../../../src/metadata/contract/metadata.ts';
import { up as pullCache } from '../../../src/metadata/migrations/001-pull-cache.ts';
import { up as registry } from '../../../src/metadata/migrations/002-registry.ts';
import { up as access } from '../../../src/metadata/migrations/003-access.ts';
import { home, keyOf } from './samples.ts';
import { digestOf } from '../../support/samples/digest.ts';

interface Hold {
  readonly what: string;
  /** The repository, its kind and its blob's name. */
  readonly repository: 'pulled' | 'pushed' | 'both';
  readonly blob: string;
  /** How manifests there name it. */
  readonly named?: 'pushed' | 'cached' | 'elsewhere';
  readonly held: 'pushed' | undefined;
}

const holds: readonly Hold[] = [
  {
    what: 'pulled, and nothing was pushed there',
    repository: 'pulled',
    blob: 'a',
    held: undefined,
  },
  {
    what: 'pulled, and a pulled manifest names it',
    repository: 'pulled',
    blob: 'b',
    named: 'cached',
    held: undefined,
  },
  {
    what: 'pushed, with a manifest',
    repository: 'pushed',
    blob: 'c',
    named: 'pushed',
    held: 'pushed',
  },
  { what: 'pushed, no manifest yet', repository: 'pushed', blob: 'd', held: 'pushed' },
  {
    what: 'named by a pushed manifest beside pulled ones',
    repository: 'both',
    blob: 'e',
    named: 'pushed',
    held: 'pushed',
  },
  {
    what: 'named by a pulled manifest beside pushed ones',
    repository: 'both',
    blob: 'f',
    named: 'cached',
    held: undefined,
  },
  {
    what: 'named by a pushed manifest as living elsewhere',
    repository: 'both',
    blob: 'g',
    named: 'elsewhere',
    held: undefined,
  },
  { what: 'named by nobody, beside pulled ones', repository: 'both', blob: 'h', held: undefined },
];

const ids = { pulled: 1, pushed: 2, both: 3 } as const;
const manifests = { cached: 1, pushed: 2, elsewhere: 2 } as const;
const nameOf = (repository: Hold['repository']): string => `quay.io/${repository}`;

/** A database of version 3: a repository that was pulled, one that was pushed, and one that was both. */
export async function makeThirdDatabase(
  database: Kysely<unknown>,
  dialect: 'sqlite' | 'postgres',
): Promise<void> {
  const integer = sql.raw(dialect === 'sqlite' ? 'integer' : 'bigint');
  await sql`create table schema_migrations (version ${integer} primary key, name text not null, applied_at ${integer} not null)`.execute(
    database,
  );
  for (const [at, migrate] of [pullCache, registry, access].entries()) {
    await migrate(database, dialect);
    await sql`insert into schema_migrations values (${at + 1}, ${`m${at}`}, 0)`.execute(database);
  }
  for (const repository of ['pulled', 'pushed', 'both'] as const) {
    const id = ids[repository];
    const pushed = repository === 'pulled' ? 0 : 1;
    await sql`insert into repositories (registry, name, private, created_at, pushed) values (${home}, ${nameOf(repository)}, 0, 1, ${pushed})`.execute(
      database,
    );
    for (const provenance of ['cached', 'pushed'] as const) {
      const digest = digestOf(`${repository} ${provenance}`);
      const id = ids[repository];
      await sql`insert into manifest_contents values (${digest}, ${Buffer.from('{}')})`.execute(
        database,
      );
      if (repository !== 'both' && (repository === 'pulled') !== (provenance === 'cached'))
        continue;
      await sql`insert into manifests (repository_id, digest, media_type, size, created_at, last_pulled_at, provenance) values (${id}, ${digest}, 'm', 2, 1, 1, ${provenance})`.execute(
        database,
      );
    }
    for (const hold of holds.filter((one) => one.repository === repository)) {
      const digest = digestOf(hold.blob);
      await sql`insert into repository_blobs values (${id}, ${digest}, 1)`.execute(database);
      await sql`insert into rule_blobs values (${home}, 'quay.io', ${digest}, 5, 1)`.execute(
        database,
      );
      if (hold.named !== undefined) await name(database, hold, digest);
    }
  }
}

async function name(database: Kysely<unknown>, hold: Hold, digest: string): Promise<void> {
  const id = ids[hold.repository];
  const provenance = manifests[hold.named ?? 'cached'] === 1 ? 'cached' : 'pushed';
  const urls = hold.named === 'elsewhere' ? '["https://elsewhere.test/x"]' : null;
  const manifest = digestOf(`${hold.repository} ${provenance}`);
  await sql`insert into manifest_children (manifest_id, position, repository_id, role, digest, media_type, size, urls)
    select id, ${hold.blob.charCodeAt(0)}, ${id}, 'layer', ${digest}, 'l', 5, ${urls} from manifests where repository_id = ${id} and digest = ${manifest}`.execute(
    database,
  );
}

/** What was pushed is there; what a rule brought is none's any more, whatever the rule's prefix. */
export async function checkThirdContent(metadata: Metadata): Promise<void> {
  for (const { what, repository, blob, held } of holds) {
    for (const rule of ['quay.io', 'quay.io https://quay.io/', undefined]) {
      const claim = await metadata.blobs.findBlobClaim(
        keyOf(nameOf(repository)),
        rule,
        digestOf(blob),
      );
      deepEqual([claim.held, claim.fetchedBytes], [held, undefined], what);
    }
  }
  const digest = digestOf('both pushed');
  equal(
    (await metadata.manifests.findManifest(keyOf('quay.io/both'), digest))?.provenance,
    'pushed',
  );
}
