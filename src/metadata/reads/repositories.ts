import type { RegistryKey, RepositoryKey } from '../../domain/names/registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { RepositoryRow, StoredRepository } from '../contract/rows.ts';
import { pointQuery, rowsQuery } from '../sql/point-query.ts';
import type { Sql } from '../sql/schema.ts';
import { textBefore, textBeyond } from '../sql/text-order.ts';
import { readMembers } from '../rows/setting-members.ts';
import { repositoryByName, repositoryColumns, storedRepository } from '../rows/repository-row.ts';

export async function findRepository(
  sql: Sql,
  key: RepositoryKey,
): Promise<StoredRepository | undefined> {
  const row = await repositoryByName(sql, key);
  return row && storedRepository(row);
}

const settingByName = pointQuery(
  (sql, slots: { readonly registry: string; readonly name: string }) =>
    sql
      .selectFrom('registry_settings')
      .select('value')
      .where('registry', '=', slots.registry)
      .where('name', '=', slots.name),
);

export async function findRegistrySetting(
  sql: Sql,
  registry: RegistryKey,
  name: string,
): Promise<string | undefined> {
  return (await settingByName(sql, { registry, name }))?.value;
}

export async function listRegistrySetting(
  sql: Sql,
  registry: RegistryKey,
  name: string,
): Promise<readonly { readonly member: string; readonly at: number }[]> {
  return readMembers((await settingByName(sql, { registry, name }))?.value);
}

interface NameRange {
  readonly registry: RegistryKey;
  readonly after: string;
  readonly from: string;
  readonly to: string;
  readonly limit: number;
}

const repositoriesInOrder = rowsQuery((sql, slots: NameRange) =>
  sql
    .selectFrom('repositories')
    .select(['name', ...repositoryColumns])
    .where('registry', '=', slots.registry)
    .where('name', '>', slots.after)
    .where('name', '>=', slots.from)
    .where('name', '<', slots.to)
    .orderBy('name')
    .limit(slots.limit),
);

export async function listRepositories(
  sql: Sql,
  registry: RegistryKey,
  options: { readonly prefix: string; readonly after: string; readonly limit: number },
): Promise<readonly RepositoryRow[]> {
  const { prefix, after, limit } = options;
  if (prefix.includes('\0')) return [];
  const rows = await repositoriesInOrder(sql, {
    registry,
    after: textBefore(after),
    from: prefix,
    to: textBeyond(prefix),
    limit,
  });
  return rows.map((row) => ({ name: row.name as RepositoryName, ...storedRepository(row) }));
}
