import { findPrincipal } from '../access/identify/principal-rows.ts';
import { RegistryError } from '../domain/errors.ts';
import type { ErrorKind } from '../domain/errors.ts';
import type { Principal, PrincipalKey } from '../domain/policy/principal.ts';
import {
  anonymous,
  arnOfKey,
  isPrincipalName,
  parsePrincipalArn,
} from '../domain/policy/principal.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';

/** An ARN, `root`, or the name of a user of the asker's account; `undefined`: anonymous. */
export function readPrincipalName(text: string, account: string): PrincipalKey | undefined {
  if (text === 'anonymous') return undefined;
  const named = parsePrincipalArn(text) ?? {
    account,
    name: text === 'root' ? undefined : text,
  };
  if (named.name === undefined || isPrincipalName(named.name)) return named;
  throw new RegistryError('requestInvalid', 'principal: not a principal', {
    detail: {
      field: 'principal',
      hint: `write a user's name, arn:aws:iam::${account}:user/NAME, root or anonymous`,
    },
  });
}

/** The principal of that name; it must be there. */
export async function findNamed(
  metadata: Pick<Metadata, 'identities'>,
  owner: PrincipalKey | undefined,
): Promise<Principal> {
  if (owner === undefined) return anonymous;
  const found = await findPrincipal(metadata, owner);
  if (found === undefined) throw unknownOwner(owner);
  return found.principal;
}

/** That a principal, or something of it, is not there. */
export function unknownOwner(
  owner: PrincipalKey,
  thing?: { readonly name: string; readonly kind?: ErrorKind },
): RegistryError {
  const arn = arnOfKey(owner);
  return thing === undefined
    ? new RegistryError('nameUnknown', `there is no ${arn}`, { kind: 'principalUnknown' })
    : new RegistryError('nameUnknown', `${arn} has no ${thing.name}`, { kind: thing.kind });
}
