import { sql as text } from 'kysely';
import type { Expression, ExpressionBuilder, SqlBool } from 'kysely';
import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { BlobSum, LeavingRepositories } from '../contract/rows.ts';
import { deletedRegistry, repositoryByName } from '../rows/repository-row.ts';
import type { Schema, Sql } from '../sql/schema.ts';

/** Of one blob at most: what a manifest claims may be anything. */
const bytesMax = 2 ** 50;

export async function sumOwnBlobs(
  sql: Sql,
  key: RepositoryKey,
  leaving: LeavingRepositories | undefined,
): Promise<BlobSum> {
  const repository = await repositoryByName(sql, key);
  if (repository === undefined) return { blobs: 0, bytes: 0 };
  const { id } = repository;
  const own = sql
    .selectFrom('repository_blobs as hold')
    .where('hold.repository_id', '=', id)
    .where((eb) => eb.not(eb.exists(otherHolder(eb, { ...key, id }, leaving))))
    .select((eb) => {
      const fetched = eb
        .selectFrom('rule_blobs as fetched')
        .select('fetched.size')
        .where('fetched.registry', '=', key.registry)
        .whereRef('fetched.rule', '=', 'hold.rule')
        .whereRef('fetched.digest', '=', 'hold.digest');
      const claimed = eb
        .selectFrom('manifest_children as child')
        .select('child.size')
        .where('child.repository_id', '=', id)
        .whereRef('child.digest', '=', 'hold.digest')
        .limit(1);
      return eb.fn.coalesce(fetched, claimed, eb.lit(0)).as('size');
    })
    .as('own');
  const sum = await sql
    .selectFrom(own)
    .select((eb) => [
      eb.fn.countAll<number>().as('blobs'),
      text<number>`sum(case when own.size > ${bytesMax} then ${bytesMax} else own.size end * 1.0)`.as(
        'bytes',
      ),
    ])
    .executeTakeFirst();
  return { blobs: Number(sum?.blobs ?? 0), bytes: Number(sum?.bytes ?? 0) };
}

/** Whoever else holds the blob; of those that leave, only whose id is lower, which it counts for. */
function otherHolder(
  eb: ExpressionBuilder<Schema & { hold: Schema['repository_blobs'] }, 'hold'>,
  { registry, id }: RepositoryKey & { readonly id: number },
  leaving: LeavingRepositories | undefined,
): Expression<unknown> {
  const others = eb
    .selectFrom('repository_blobs as other')
    .innerJoin('repositories as holder', 'holder.id', 'other.repository_id')
    .select('other.repository_id')
    .whereRef('other.digest', '=', 'hold.digest')
    .where('other.repository_id', '<>', id)
    .where('holder.registry', '<>', deletedRegistry);
  if (leaving === undefined) return others;
  const { prefix, pushed } = leaving;
  return others.where((where): Expression<SqlBool> => {
    const below = where.and([
      where('holder.name', '>=', `${prefix}/`),
      // The character after the slash.
      where('holder.name', '<', `${prefix}0`),
    ]);
    const leaves = [
      where('holder.registry', '=', registry),
      where.or([where('holder.name', '=', prefix), below]),
      where('holder.id', '>', id),
      ...(pushed ? [] : [where('holder.pushed', '=', 0)]),
    ];
    return where.not(where.and(leaves));
  });
}
