import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { MetadataError } from '../contract/metadata-error.ts';
import { up as pullCache } from '../migrations/001-pull-cache.ts';
import { up as registry } from '../migrations/002-registry.ts';
import { up as access } from '../migrations/003-access.ts';
import { up as whoseBytes } from '../migrations/004-whose-bytes.ts';
import { up as auditOrder } from '../migrations/005-audit-order.ts';
import { up as keyExpiry } from '../migrations/006-key-expiry.ts';
import { up as attributes } from '../migrations/007-attributes.ts';
import { up as lifecycle } from '../migrations/008-lifecycle.ts';
import { up as rules } from '../migrations/009-rules.ts';
import { up as creationTemplates } from '../migrations/010-creation-templates.ts';
import { up as secrets } from '../migrations/011-secrets.ts';
import { up as principalTags } from '../migrations/012-principal-tags.ts';
import { up as roles } from '../migrations/013-roles.ts';
import { up as callRecords } from '../migrations/014-call-records.ts';
import { up as managedPolicies } from '../migrations/015-managed-policies.ts';

export type Dialect = 'sqlite' | 'postgres';

interface Migration {
  readonly version: number;
  readonly name: string;
  readonly up: (database: Kysely<unknown>, dialect: Dialect) => Promise<void>;
}

/** In order; never edited after a release. */
const migrations: readonly Migration[] = [
  { version: 1, name: 'pull-cache', up: pullCache },
  { version: 2, name: 'registry', up: registry },
  { version: 3, name: 'access', up: access },
  { version: 4, name: 'whose-bytes', up: whoseBytes },
  { version: 5, name: 'audit-order', up: auditOrder },
  { version: 6, name: 'key-expiry', up: keyExpiry },
  { version: 7, name: 'attributes', up: attributes },
  { version: 8, name: 'lifecycle', up: lifecycle },
  { version: 9, name: 'rules', up: rules },
  { version: 10, name: 'creation-templates', up: creationTemplates },
  { version: 11, name: 'secrets', up: secrets },
  { version: 12, name: 'principal-tags', up: principalTags },
  { version: 13, name: 'roles', up: roles },
  { version: 14, name: 'call-records', up: callRecords },
  { version: 15, name: 'managed-policies', up: managedPolicies },
];

/** The schema that this Breakwater writes. */
export const schemaVersion: number = migrations.at(-1)?.version ?? 0;

/**
 * Brings the schema up to date. Runs in the transaction that the caller has begun, with other writers kept out.
 * @throws {MetadataError} `version` when a newer Breakwater wrote the database; nothing is changed.
 */
export async function migrate(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const integer = sql.raw(dialect === 'sqlite' ? 'integer' : 'bigint');
  const end = sql.raw(dialect === 'sqlite' ? ' strict' : '');
  await sql`create table if not exists schema_migrations (version ${integer} primary key, name text not null, applied_at ${integer} not null)${end}`.execute(
    database,
  );
  const found = await sql<{
    version: number | null;
  }>`select max(version) as version from schema_migrations`.execute(database);
  const version = found.rows[0]?.version ?? 0;
  if (version > schemaVersion) {
    throw new MetadataError(
      'version',
      `the database has schema version ${version}, and this Breakwater knows versions up to ${schemaVersion}: start the Breakwater that wrote it, or a newer one`,
    );
  }
  for (const migration of migrations) {
    if (migration.version <= version) continue;
    await migration.up(database, dialect);
    await sql`insert into schema_migrations (version, name, applied_at) values (${migration.version}, ${migration.name}, ${Date.now()})`.execute(
      database,
    );
  }
}
