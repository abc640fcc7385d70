import type { Secret, SecretKey } from '../../domain/secrets/secret.ts';
import { secretOf } from '../rows/secret-row.ts';
import { pointQuery } from '../sql/point-query.ts';
import type { Sql } from '../sql/schema.ts';

const secretByName = pointQuery((sql, slots: SecretKey) =>
  sql
    .selectFrom('secrets')
    .select(['registry', 'name', 'suffix', 'state'])
    .where('registry', '=', slots.registry)
    .where('name', '=', slots.name),
);

export async function findSecret(sql: Sql, key: SecretKey): Promise<Secret | undefined> {
  const row = await secretByName(sql, key);
  return row && secretOf(row);
}

const valueByVersion = pointQuery((sql, slots: SecretKey & { readonly version: string }) =>
  sql
    .selectFrom('secret_values')
    .select('sealed')
    .where('registry', '=', slots.registry)
    .where('name', '=', slots.name)
    .where('version', '=', slots.version),
);

export async function findSecretValue(
  sql: Sql,
  key: SecretKey & { readonly version: string },
): Promise<string | undefined> {
  return (await valueByVersion(sql, key))?.sealed;
}
