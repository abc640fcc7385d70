import type { Kysely } from 'kysely';
import { sql } from 'kysely';

type Dialect = 'sqlite' | 'postgres';

/**
 * Says how a repository came to hold a blob or a manifest: pushed, or through which rule, by the rule's identity.
 *
 * Earlier rows hung on a rule's prefix, wherever it led when they were made, and a HEAD was enough for some. They are no
 * proof and go: what they stood for is asked of upstream once more. Rows of pushes stay: all of a repository into which
 * something was pushed and nothing pulled; where both is in one repository, those that a pushed manifest names as content
 * of its own, which its push had to show.
 */
export async function up(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const text = dialect === 'sqlite' ? sql`text` : sql`text collate "C"`;
  const integer = dialect === 'sqlite' ? 'integer' : 'bigint';
  const { schema } = database;
  await schema
    .alterTable('manifests')
    .addColumn('rule', text, (column) => column.notNull().defaultTo(''))
    .execute();
  await schema
    .alterTable('repository_blobs')
    .addColumn('pushed', integer, (column) => column.notNull().defaultTo(0))
    .execute();
  await schema
    .alterTable('repository_blobs')
    .addColumn('rule', text, (column) => column.notNull().defaultTo(''))
    .execute();
  await sql`
    update repository_blobs set pushed = 1
    where exists (
      select 1 from repositories
      where repositories.id = repository_blobs.repository_id and repositories.pushed = 1
    ) and (
      not exists (
        select 1 from manifests
        where manifests.repository_id = repository_blobs.repository_id
          and manifests.provenance = 'cached'
      ) or exists (
        select 1 from manifest_children as child
        join manifests on manifests.id = child.manifest_id
        where child.repository_id = repository_blobs.repository_id
          and child.digest = repository_blobs.digest
          and child.role <> 'manifest'
          and child.urls is null
          and child.media_type not like '%foreign%'
          and child.media_type not like '%nondistributable%'
          and manifests.provenance <> 'cached'
      )
    )`.execute(database);
  await sql`delete from repository_blobs where pushed = 0`.execute(database);
  await sql`delete from rule_blobs`.execute(database);
}
