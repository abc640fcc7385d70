import { anonymousCaller } from '../access/access.ts';
import type { Caller } from '../access/access.ts';
import { findPrincipal, findSession } from '../access/identify/principal-rows.ts';
import { RegistryError } from '../domain/errors.ts';
import type { ErrorKind } from '../domain/errors.ts';
import type { PrincipalKey } from '../domain/policy/principal.ts';
import {
  arnOfKey,
  isPrincipalName,
  parsePrincipalArn,
  parseRoleArn,
  parseSessionArn,
  roleKey,
  roleNameOf,
} from '../domain/policy/principal.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';

/** Somebody who is meant; of a role one session, where it is named. */
export interface NamedPrincipal extends PrincipalKey {
  readonly session?: string;
}

/** An ARN, `root`, `role/<name>`, or the name of a user of the asker's account; `undefined`: anonymous. */
export function readPrincipalName(text: string, account: string): NamedPrincipal | undefined {
  if (text === 'anonymous') return undefined;
  const assumed = parseSessionArn(text);
  if (assumed !== undefined) return { ...roleKey(assumed), session: assumed.session };
  const role = parseRoleArn(
    roleNameOf(text) === undefined ? text : `arn:aws:iam::${account}:${text}`,
  );
  if (role !== undefined) return roleKey(role);
  const named = parsePrincipalArn(text) ?? {
    account,
    name: text === 'root' ? undefined : text,
  };
  if (named.name === undefined || isPrincipalName(named.name)) return named;
  throw new RegistryError('requestInvalid', 'principal: not a principal', {
    detail: {
      field: 'principal',
      hint: `write a user's name, arn:aws:iam::${account}:user/NAME, role/NAME, root or anonymous`,
    },
  });
}

/** Somebody of that name, as with a key of their own; they must be there. */
export async function findNamed(
  metadata: Pick<Metadata, 'identities' | 'roles'>,
  named: NamedPrincipal | undefined,
): Promise<Caller> {
  if (named === undefined) return anonymousCaller;
  const role = roleNameOf(named.name);
  const { account, session } = named;
  const found = await (role === undefined || session === undefined
    ? findPrincipal(metadata, named)
    : findSession(metadata, { account, name: role, session }, undefined));
  if (found === undefined) throw unknownOwner(named);
  return { ...found, via: 'key', scopes: undefined };
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
