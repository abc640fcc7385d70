import type { Selectable } from 'kysely';
import type { TokenRow } from '../contract/rows.ts';
import type { Schema } from '../sql/schema.ts';

export function tokenOf(row: Selectable<Schema['tokens']>): TokenRow {
  return {
    id: row.id,
    account: row.account,
    principal: row.principal ?? undefined,
    name: row.name,
    hash: row.hash,
    scopes: JSON.parse(row.scopes) as string[],
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
    lastUsedAt: row.last_used_at ?? undefined,
  };
}
