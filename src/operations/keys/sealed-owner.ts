import type { SealedKind, SealedRow } from '../../metadata/contract/sealed.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import { ownerOfValue } from '../secrets/located-secret.ts';

export const sealedKinds: readonly SealedKind[] = ['accessKeys', 'secretValues'];

/** As what a row was sealed, and opens. */
export function ownerOfSealed(kind: SealedKind, { id, suffix = '' }: SealedRow): string {
  const [first = '', name = '', version = ''] = id;
  if (kind === 'accessKeys') return first;
  return ownerOfValue({ registry: first as RegistryKey, name, suffix }, version);
}

/** For people; no part of what is sealed. */
export function nameOfSealed(kind: SealedKind, { id }: SealedRow): string {
  return kind === 'accessKeys'
    ? `access key ${id[0]}`
    : `secret ${id[1]} of ${id[0]}, version ${id[2]}`;
}
