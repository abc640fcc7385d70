import type { Selectable } from 'kysely';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { Secret } from '../../domain/secrets/secret.ts';
import type { Schema } from '../sql/schema.ts';

type Row = Selectable<Schema['secrets']>;

export function secretOf({ registry, name, suffix, state }: Omit<Row, 'gone_at'>): Secret {
  const kept = JSON.parse(state) as Omit<Secret, 'registry' | 'name' | 'suffix'>;
  return { registry: registry as RegistryKey, name, suffix, ...kept };
}

export function rowOfSecret({ registry, name, suffix, ...kept }: Secret): Row {
  const { deletion } = kept;
  return {
    registry,
    name,
    suffix,
    state: JSON.stringify(kept),
    gone_at: deletion?.at ?? null,
  };
}
