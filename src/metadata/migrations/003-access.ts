import type { CreateTableBuilder, Kysely } from 'kysely';
import { sql } from 'kysely';

type Dialect = 'sqlite' | 'postgres';
type Table = CreateTableBuilder<string, string>;

/** Accounts, principals, their credentials and policies, and the audit. */
export async function up(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const columns: Columns = {
    text: dialect === 'sqlite' ? sql`text` : sql`text collate "C"`,
    integer: dialect === 'sqlite' ? 'integer' : 'bigint',
    create(name, rows) {
      const table: Table = database.schema.createTable(name);
      if (dialect === 'postgres') return table;
      return table.modifyEnd(rows === 'byKey' ? sql`strict, without rowid` : sql`strict`);
    },
  };
  await createPrincipals(columns);
  await createCredentials(database, columns);
  await createPolicies(columns);
  await createAudit(database, columns, dialect);
}

interface Columns {
  readonly text: ReturnType<typeof sql>;
  readonly integer: 'integer' | 'bigint';
  readonly create: (name: string, rows: 'byKey' | 'byId') => Table;
}

async function createPrincipals({ text, integer, create }: Columns): Promise<void> {
  await create('accounts', 'byKey')
    .addColumn('id', text, (column) => column.primaryKey().notNull())
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('created_at', integer, (column) => column.notNull())
    .execute();
  await create('principals', 'byKey')
    .addColumn('account', text, (column) => column.notNull())
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('kind', text, (column) => column.notNull())
    .addColumn('created_at', integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('principals_key', ['account', 'name'])
    .execute();
}

/** A credential without a principal is the root's of its account. */
async function createCredentials(
  database: Kysely<unknown>,
  { text, integer, create }: Columns,
): Promise<void> {
  const owned = (name: string): Table =>
    create(name, 'byKey')
      .addColumn('id', text, (column) => column.primaryKey().notNull())
      .addColumn('account', text, (column) => column.notNull())
      .addColumn('principal', text)
      .addForeignKeyConstraint(
        `${name}_principal`,
        ['account', 'principal'],
        'principals',
        ['account', 'name'],
        (key) => key.onDelete('cascade'),
      );
  await owned('access_keys')
    .addColumn('slot', integer, (column) => column.notNull())
    .addColumn('sealed_secret', text, (column) => column.notNull())
    .addColumn('active', integer, (column) => column.notNull())
    .addColumn('created_at', integer, (column) => column.notNull())
    .addColumn('last_used_at', integer)
    .execute();
  await owned('tokens')
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('hash', text, (column) => column.notNull())
    .addColumn('scopes', text, (column) => column.notNull())
    .addColumn('created_at', integer, (column) => column.notNull())
    .addColumn('expires_at', integer)
    .addColumn('last_used_at', integer)
    .execute();
  await sql`create unique index access_keys_owner on access_keys (account, coalesce(principal, ''), slot)`.execute(
    database,
  );
  await sql`create unique index tokens_owner on tokens (account, coalesce(principal, ''), name)`.execute(
    database,
  );
}

async function createPolicies({ text, integer, create }: Columns): Promise<void> {
  await create('identity_policies', 'byKey')
    .addColumn('account', text, (column) => column.notNull())
    .addColumn('principal', text, (column) => column.notNull())
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('text', text, (column) => column.notNull())
    .addColumn('updated_at', integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('identity_policies_key', ['account', 'principal', 'name'])
    .addForeignKeyConstraint(
      'identity_policies_principal',
      ['account', 'principal'],
      'principals',
      ['account', 'name'],
      (key) => key.onDelete('cascade'),
    )
    .execute();
  await create('registry_policies', 'byKey')
    .addColumn('registry', text, (column) => column.primaryKey().notNull())
    .addColumn('text', text, (column) => column.notNull())
    .addColumn('updated_at', integer, (column) => column.notNull())
    .execute();
}

async function createAudit(
  database: Kysely<unknown>,
  { text, integer, create }: Columns,
  dialect: Dialect,
): Promise<void> {
  await create('audit', 'byId')
    .addColumn('id', integer, (column) =>
      dialect === 'sqlite'
        ? column.primaryKey().autoIncrement()
        : column.primaryKey().generatedAlwaysAsIdentity(),
    )
    .addColumn('at', integer, (column) => column.notNull())
    .addColumn('kind', text, (column) => column.notNull())
    .addColumn('principal', text, (column) => column.notNull())
    .addColumn('action', text, (column) => column.notNull())
    .addColumn('resource', text, (column) => column.notNull())
    .addColumn('account', text, (column) => column.notNull())
    .addColumn('registry', text, (column) => column.notNull())
    .addColumn('outcome', text, (column) => column.notNull())
    .addColumn('address', text, (column) => column.notNull())
    .addColumn('request_id', text, (column) => column.notNull())
    .addColumn('detail', text, (column) => column.notNull())
    .addColumn('count', integer, (column) => column.notNull())
    .execute();
  await database.schema
    .createIndex('audit_account')
    .on('audit')
    .columns(['account', 'id'])
    .execute();
  // Each row is in one of them, by age: what is kept for different times is dropped apart. The principal lets counting stay in it.
  for (const [name, condition] of auditAges)
    await sql`create index ${sql.ref(name)} on audit (at, id, principal) where ${condition}`.execute(
      database,
    );
}

const auditAges = [
  ['audit_anonymous_denials', sql`kind = 'denial' and principal = 'anonymous'`],
  ['audit_denials', sql`kind = 'denial' and principal <> 'anonymous'`],
  ['audit_logins', sql`kind = 'login'`],
  ['audit_changes', sql`kind = 'change'`],
] as const;
