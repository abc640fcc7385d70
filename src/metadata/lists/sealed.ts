import { sql as raw } from 'kysely';
import type { SealedKind, SealedMetadata, SealedRow } from '../contract/sealed.ts';
import type { Sql } from '../sql/schema.ts';

/** The eight characters of the key in `v1.<key>.…`. */
function keyIn(column: string): ReturnType<typeof raw<string>> {
  return raw<string>`substr(${raw.ref(column)}, 4, 8)`;
}

export async function countSealed(sql: Sql): ReturnType<SealedMetadata['countSealed']> {
  const ofKeys = keyIn('sealed_secret');
  const keys = await sql
    .selectFrom('access_keys')
    .select((eb) => [ofKeys.as('key'), eb.fn.countAll<number>().as('count')])
    .groupBy(ofKeys)
    .execute();
  const ofValues = keyIn('sealed');
  const values = await sql
    .selectFrom('secret_values')
    .select((eb) => [ofValues.as('key'), eb.fn.countAll<number>().as('count')])
    .groupBy(ofValues)
    .execute();
  return [
    ...keys.map((row) => ({ kind: 'accessKeys' as const, ...row })),
    ...values.map((row) => ({ kind: 'secretValues' as const, ...row })),
  ];
}

export async function listSealed(
  sql: Sql,
  kind: SealedKind,
  page: Parameters<SealedMetadata['listSealed']>[1],
): Promise<readonly SealedRow[]> {
  return kind === 'accessKeys' ? await keysAfter(sql, page) : await valuesAfter(sql, page);
}

async function keysAfter(
  sql: Sql,
  { notBy, after, limit }: Parameters<SealedMetadata['listSealed']>[1],
): Promise<readonly SealedRow[]> {
  const rows = await sql
    .selectFrom('access_keys')
    .select(['id', 'sealed_secret'])
    .where('id', '>', after?.[0] ?? '')
    .where(keyIn('sealed_secret'), '<>', notBy)
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(({ id, sealed_secret: sealed }) => ({ id: [id], suffix: undefined, sealed }));
}

async function valuesAfter(
  sql: Sql,
  { notBy, after, limit }: Parameters<SealedMetadata['listSealed']>[1],
): Promise<readonly SealedRow[]> {
  const [registry = '', name = '', version = ''] = after ?? [];
  const rows = await sql
    .selectFrom('secret_values as value')
    .innerJoin('secrets as secret', (join) =>
      join.onRef('secret.registry', '=', 'value.registry').onRef('secret.name', '=', 'value.name'),
    )
    .select(['value.registry', 'value.name', 'value.version', 'secret.suffix', 'value.sealed'])
    .where((where) =>
      where.or([
        where('value.registry', '>', registry),
        where.and([where('value.registry', '=', registry), where('value.name', '>', name)]),
        where.and([
          where('value.registry', '=', registry),
          where('value.name', '=', name),
          where('value.version', '>', version),
        ]),
      ]),
    )
    .where(keyIn('value.sealed'), '<>', notBy)
    .orderBy('value.registry')
    .orderBy('value.name')
    .orderBy('value.version')
    .limit(limit)
    .execute();
  return rows.map(({ suffix, sealed, ...row }) => ({
    id: [row.registry, row.name, row.version],
    suffix,
    sealed,
  }));
}
