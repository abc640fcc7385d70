import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Sql } from '../sql/schema.ts';
import { dropContents } from '../rows/manifest-row.ts';
import { lockRepository } from '../rows/repository-row.ts';

/** Stands as the registry of what is deleted and not yet dropped; no registry is called so. */
const deletedRegistry = 'deleted';

/** Hides the repository with all that is in it, at once and whole; `dropDeleted` then drops the rows. */
export async function deleteRepository(
  sql: Sql,
  input: RepositoryKey & { readonly force: boolean },
): Promise<'deleted' | 'notFound' | 'notEmpty'> {
  const repository = await lockRepository(sql, input);
  if (!repository) return 'notFound';
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
  for (const drop of [dropTags, dropHistory, dropManifests, dropHolds]) {
    if ((await drop(sql, id, rowsMax)) === rowsMax) return true;
  }
  await sql.deleteFrom('repositories').where('id', '=', id).execute();
  return true;
}

async function dropTags(sql: Sql, repositoryId: number, rowsMax: number): Promise<number> {
  const some = sql
    .selectFrom('tags')
    .select('tag')
    .where('repository_id', '=', repositoryId)
    .orderBy('tag')
    .limit(rowsMax);
  const result = await sql
    .deleteFrom('tags')
    .where('repository_id', '=', repositoryId)
    .where('tag', 'in', some)
    .executeTakeFirst();
  return Number(result.numDeletedRows);
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

async function dropHolds(sql: Sql, repositoryId: number, rowsMax: number): Promise<number> {
  const some = sql
    .selectFrom('repository_blobs')
    .select('digest')
    .where('repository_id', '=', repositoryId)
    .orderBy('digest')
    .limit(rowsMax);
  const result = await sql
    .deleteFrom('repository_blobs')
    .where('repository_id', '=', repositoryId)
    .where('digest', 'in', some)
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}
