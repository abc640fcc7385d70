import type { RawBuilder, Selectable } from 'kysely';
import { sql as text } from 'kysely';
import type { Label } from '../../domain/names/label.ts';
import { roleNameOf } from '../../domain/policy/principal.ts';
import type { RoleRow } from '../contract/roles.ts';
import type { AccessKeyRow, AccountRow, PrincipalRow, TokenRow } from '../contract/rows.ts';
import type { Schema } from '../sql/schema.ts';

/** The owner of a key or token, empty for the account's root: as the indexes of owners have it, so that they serve it. */
export const ownerColumn: RawBuilder<string> = text<string>`coalesce(principal, '')`;

export function accountOf(row: Selectable<Schema['accounts']>): AccountRow {
  return { id: row.id, name: row.name, createdAt: row.created_at };
}

export function principalOf(row: Selectable<Schema['principals']>): PrincipalRow {
  const { account, name, kind, created_at: createdAt, tags } = row;
  const principal = { account, name, kind: kind as PrincipalRow['kind'], createdAt };
  return tags === null ? principal : { ...principal, tags: JSON.parse(tags) as readonly Label[] };
}

export function roleOf(row: Selectable<Schema['principals']>): RoleRow {
  return {
    account: row.account,
    name: roleNameOf(row.name) ?? row.name,
    path: row.path ?? '/',
    trustPolicy: row.trust_policy ?? '',
    description: row.description ?? '',
    sessionSecondsMax: row.session_seconds_max ?? 0,
    createdAt: row.created_at,
    ...(row.tags === null ? {} : { tags: JSON.parse(row.tags) as readonly Label[] }),
    lastUsedAt: row.last_used_at ?? undefined,
  };
}

export function accessKeyOf(row: Selectable<Schema['access_keys']>): AccessKeyRow {
  return {
    id: row.id,
    account: row.account,
    name: row.principal ?? undefined,
    sealedSecret: row.sealed_secret,
    active: row.active === 1,
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
    lastUsedAt: row.last_used_at ?? undefined,
  };
}

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
