import { sql as text } from 'kysely';
import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Sql } from '../sql/schema.ts';
import { dropContents } from '../rows/manifest-row.ts';
import { deletedRegistry, lockRepository } from '../rows/repository-row.ts';

/** Hides the repository with all that is in it, at once and whole; `dropDeleted` then drops the rows. */
export async function deleteRepository(
  sql: Sql,
  input: RepositoryKey & { readonly force: boolean; readonly unlessPushed?: boolean },
): Promise<'deleted' | 'notFound' | 'notEmpty' | 'pushed'> {
  const repository = await lockRepository(sql, input);
  if (!repository) return 'notFound';
  if (input.unlessPushed === true && repository.pushed) return 'pushed';
  const { id } = repository;
  if (!input.force) {
    const one = await sql
      .selectFrom('manifests')
      .select('id')
      .where('repository_id', '=', id)
      .limit(1)
      .executeTakeFirst();
    if (one) return 'notEmpty';
  }
  for (const table of ['lifecycle_policies', 'lifecycle_previews'] as const)
    await sql.deleteFrom(table).where('repository_id', '=', id).execute();
  await sql
    .updateTable('repositories')
    .set({ registry: deletedRegistry, name: String(id) })
    .where('id', '=', id)
    .execute();
  return 'deleted';
}

/** Drops some rows of a repository that was deleted, at most `rowsMax` of each table; true while there may be more. */
export async function dropDeleted(
  sql: Sql,
  { rowsMax }: { readonly rowsMax: number },
): Promise<boolean> {
  // Other processes that drop it wait.
  const repository = await sql
    .updateTable('repositories')
    .set((eb) => ({ pushed: eb.ref('pushed') }))
    .where('id', '=', (eb) =>
      eb
        .selectFrom('repositories')
        .select('id')
        .where('registry', '=', deletedRegistry)
        .orderBy('name')
        .limit(1),
    )
    .returning('id')
    .executeTakeFirst();
  if (!repository) return false;
  const { id } = repository;
  const drops = [
    () => dropByKey(sql, { table: 'tags', key: 'tag' }, id, rowsMax),
    () => dropHistory(sql, id, rowsMax),
    () => dropManifests(sql, id, rowsMax),
    () => dropByKey(sql, { table: 'repository_blobs', key: 'digest' }, id, rowsMax),
    () => dropByKey(sql, { table: 'lifecycle_preview_pages', key: 'first_digest' }, id, rowsMax),
  ];
  for (const drop of drops) if ((await drop()) === rowsMax) return true;
  await sql.deleteFrom('repositories').where('id', '=', id).execute();
  return true;
}

/** The first in the order of the table's key, so that two processes take their locks in one order. */
async function dropByKey(
  sql: Sql,
  of: {
    readonly table: 'tags' | 'repository_blobs' | 'lifecycle_preview_pages';
    readonly key: string;
  },
  repositoryId: number,
  rowsMax: number,
): Promise<number> {
  const [table, key] = [text.table(of.table), text.ref(of.key)];
  const { numAffectedRows } = await text`
    delete from ${table} where repository_id = ${repositoryId} and ${key} in (
      select ${key} from ${table} where repository_id = ${repositoryId} order by ${key} limit ${rowsMax}
    )`.execute(sql);
  return Number(numAffectedRows);
}

async function dropHistory(sql: Sql, repositoryId: number, rowsMax: number): Promise<number> {
  const some = sql
    .selectFrom('tag_history')
    .select('id')
    .where('repository_id', '=', repositoryId)
    .limit(rowsMax);
  const result = await sql.deleteFrom('tag_history').where('id', 'in', some).executeTakeFirst();
  return Number(result.numDeletedRows);
}

async function dropManifests(sql: Sql, repositoryId: number, rowsMax: number): Promise<number> {
  const some = sql
    .selectFrom('manifests')
    .select('id')
    .where('repository_id', '=', repositoryId)
    .limit(rowsMax);
  const rows = await sql
    .deleteFrom('manifests')
    .where('id', 'in', some)
    .returning('digest')
    .execute();
  await dropContents(
    sql,
    rows.map((row) => row.digest as Digest),
  );
  return rows.length;
}
