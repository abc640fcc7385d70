import type { RegistryKey } from '../../domain/names/registry.ts';
import { pageOfSecrets } from '../../domain/secrets/secret-listing.ts';
import { isGone } from '../../domain/secrets/secret.ts';
import type { Secret } from '../../domain/secrets/secret.ts';
import type { SecretMetadata } from '../contract/secrets.ts';
import { secretOf } from '../rows/secret-row.ts';
import type { Sql } from '../sql/schema.ts';

/** All of a registry, which are bounded, are looked at: filters and orders are many. */
export async function listSecrets(
  sql: Sql,
  registry: RegistryKey,
  { now, others, ...listing }: Parameters<SecretMetadata['listSecrets']>[1],
): Promise<readonly Secret[]> {
  const rows = await sql
    .selectFrom('secrets')
    .select(['registry', 'name', 'suffix', 'state'])
    .where('registry', '=', registry)
    .execute();
  const hidden = new Set(others.map(({ name }) => name));
  const stored = rows
    .filter(({ name }) => !hidden.has(name))
    .map(secretOf)
    .filter((secret) => !isGone(secret, now));
  return pageOfSecrets([...others, ...stored], listing);
}
