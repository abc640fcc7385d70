import { hash } from 'node:crypto';
import type { Principal } from '../../domain/policy/principal.ts';
import { upperAlphabet } from '../secrets/random-text.ts';

const characters = 17;

/**
 * The id that IAM gives a user, role or policy beside its name: the same for as long as it is there, another one for the next of its name. `kind` is
 * IAM's prefix; `madeAt` wall ms.
 */
export function uniqueId(
  kind: 'AIDA' | 'AROA' | 'ANPA',
  {
    account,
    name,
    madeAt,
  }: { readonly account: string; readonly name: string; readonly madeAt: number },
): string {
  const digest = hash('sha256', `${kind} ${account}/${name} ${madeAt}`, 'buffer');
  return (
    kind + Array.from(digest.subarray(0, characters), (byte) => upperAlphabet[byte % 32]).join('')
  );
}

/** `aws:userid`: an account's root has its account's id, a session its role's and its own name. */
export function userIdOf(
  principal: Exclude<Principal, { readonly kind: 'anonymous' }>,
  madeAt: number,
): string {
  switch (principal.kind) {
    case 'administrator':
      return principal.account;
    case 'user':
    case 'robot':
      return uniqueId('AIDA', { ...principal, madeAt });
    case 'role':
      return `${uniqueId('AROA', { ...principal, madeAt })}:${principal.session ?? ''}`;
  }
}
