import type { Selectable } from 'kysely';
import type { Label } from '../../domain/names/label.ts';
import type { ManagedPolicyRow } from '../contract/managed-policies.ts';
import type { Schema } from '../sql/schema.ts';

export function managedPolicyOf(row: Selectable<Schema['managed_policies']>): ManagedPolicyRow {
  const { account, name, path, description, tags } = row;
  return {
    account,
    name,
    path,
    description,
    defaultVersion: row.default_version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    ...(tags === null ? {} : { tags: JSON.parse(tags) as readonly Label[] }),
  };
}
