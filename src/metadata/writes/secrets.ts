import { changeSecret as changedSecret } from '../../domain/secrets/secret-change.ts';
import type { ChangedSecret } from '../../domain/secrets/secret-change.ts';
import { isGone } from '../../domain/secrets/secret.ts';
import type { SecretKey } from '../../domain/secrets/secret.ts';
import type { SecretMetadata, SecretOfSuffix } from '../contract/secrets.ts';
import { rowOfSecret, secretOf } from '../rows/secret-row.ts';
import type { Sql } from '../sql/schema.ts';

const purgedAtOnce = 100;

export async function createSecret(
  sql: Sql,
  { secret, sealed, secretsMax, now }: Parameters<SecretMetadata['createSecret']>[0],
): Promise<'created' | 'exists' | 'limit'> {
  const { registry, name, versions } = secret;
  await sql
    .deleteFrom('secrets')
    .where('registry', '=', registry)
    .where('name', '=', name)
    .where('gone_at', '<=', now)
    .execute();
  const row = await sql
    .insertInto('secrets')
    .values(rowOfSecret(secret))
    .onConflict((conflict) => conflict.columns(['registry', 'name']).doNothing())
    .returning('name')
    .executeTakeFirst();
  if (row === undefined) return 'exists';
  const { count } = await sql
    .selectFrom('secrets')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('registry', '=', registry)
    .where((eb) => eb.or([eb('gone_at', 'is', null), eb('gone_at', '>', now)]))
    .executeTakeFirstOrThrow();
  if (count > secretsMax) {
    await removeSecret(sql, secret);
    return 'limit';
  }
  const [version] = versions;
  if (version !== undefined && sealed !== undefined)
    await putValue(sql, { registry, name, version: version.id, sealed });
  return 'created';
}

export async function changeSecret(
  sql: Sql,
  { registry, name, suffix, change, sealed, now }: Parameters<SecretMetadata['changeSecret']>[0],
): Promise<ChangedSecret | undefined> {
  // An update that changes nothing locks the row on both; SQLite has no `for update`.
  const row = await sql
    .updateTable('secrets')
    .set((eb) => ({ suffix: eb.ref('suffix') }))
    .where('registry', '=', registry)
    .where('name', '=', name)
    .where('suffix', '=', suffix)
    .returningAll()
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const before = secretOf(row);
  if (isGone(before, now)) return undefined;
  const changed = changedSecret(before, change, now);
  if (changed.problem !== undefined) return changed;
  const { versions } = changed.secret;
  await sql
    .updateTable('secrets')
    .set(rowOfSecret(changed.secret))
    .where('registry', '=', registry)
    .where('name', '=', name)
    .execute();
  const added = versions.find(({ id }) => !before.versions.some((each) => each.id === id));
  if (added !== undefined && sealed !== undefined)
    await putValue(sql, { registry, name, version: added.id, sealed });
  for (const { id } of before.versions)
    if (!versions.some((each) => each.id === id))
      await sql
        .deleteFrom('secret_values')
        .where('registry', '=', registry)
        .where('name', '=', name)
        .where('version', '=', id)
        .execute();
  return changed;
}

async function putValue(
  sql: Sql,
  value: SecretKey & { readonly version: string; readonly sealed: string },
): Promise<void> {
  await sql.insertInto('secret_values').values(value).execute();
}

export async function removeSecret(
  sql: Sql,
  { registry, name, suffix }: SecretOfSuffix,
): Promise<boolean> {
  const row = await sql
    .deleteFrom('secrets')
    .where('registry', '=', registry)
    .where('name', '=', name)
    .where('suffix', '=', suffix)
    .returning('name')
    .executeTakeFirst();
  return row !== undefined;
}

/** Some of them; false where there was none. */
export async function purgeSomeSecrets(
  sql: Sql,
  { now }: { readonly now: number },
): Promise<boolean> {
  const gone = await sql
    .selectFrom('secrets')
    .select(['registry', 'name'])
    .where('gone_at', '<=', now)
    .orderBy('gone_at')
    .limit(purgedAtOnce)
    .execute();
  for (const { registry, name } of gone)
    await sql
      .deleteFrom('secrets')
      .where('registry', '=', registry)
      .where('name', '=', name)
      .where('gone_at', '<=', now)
      .execute();
  return gone.length > 0;
}
