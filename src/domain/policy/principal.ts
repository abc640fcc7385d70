/** Who is asking. Names of users and robots are unique in their account. */
export type Principal =
  | { readonly kind: 'anonymous' }
  /** An account's root. The home account's is the server's operator too. */
  | { readonly kind: 'administrator'; readonly account: string }
  | { readonly kind: 'user' | 'robot'; readonly account: string; readonly name: string }
  | RolePrincipal;

/** Whoever has assumed a role. */
export interface RolePrincipal {
  readonly kind: 'role';
  readonly account: string;
  /** The role's, unique among the account's roles, whatever their paths. */
  readonly name: string;
  /** `/`, or `/team/`: a part of the role's ARN alone. */
  readonly path: string;
  /** As whoever assumed it called the session; absent: any session, where it is asked what one may. */
  readonly session?: string;
}

export const anonymous: Principal = { kind: 'anonymous' };

/** IAM's alphabet of user names. */
const namePattern = /^[\w+=,.@-]{1,64}$/;

export function isPrincipalName(text: string): boolean {
  return namePattern.test(text);
}

export function isAccountId(text: string): boolean {
  return /^\d{12}$/.test(text);
}

/** `/`, or names between slashes; IAM's 512 characters at most. */
export function isPrincipalPath(text: string): boolean {
  return text.length <= 512 && /^\/(?:[\w+=,.@-]+\/)*$/.test(text);
}

/**
 * `arn:aws:iam::<account>:root`, `arn:aws:iam::<account>:user/<name>` (robots are users there), of a session its role's
 * `arn:aws:iam::<account>:role/<name>`; `anonymous` has none.
 */
export function arnOf(principal: Principal): string | undefined {
  switch (principal.kind) {
    case 'anonymous':
      return undefined;
    case 'administrator':
      return arnOfKey({ account: principal.account, name: undefined });
    case 'user':
    case 'robot':
      return arnOfKey(principal);
    case 'role':
      return arnOfKey(roleKey(principal));
  }
}

/** `arn:aws:sts::<account>:assumed-role/<role>/<session>`: without the role's path. */
export function sessionArn({ account, name }: RolePrincipal, session: string): string {
  return `arn:aws:sts::${account}:assumed-role/${name}/${session}`;
}

/** A principal by its name; `name` undefined: the account's root. */
export interface PrincipalKey {
  readonly account: string;
  /** Of a role `role/<name>`, so that a user of the name may be beside it. */
  readonly name: string | undefined;
  /** Of a role, where it is not `/`. */
  readonly path?: string;
}

const rolePrefix = 'role/';

/** The key under which the store keeps a role, its tags and its policies. */
export function roleKey({
  account,
  name,
  path,
}: {
  readonly account: string;
  readonly name: string;
  readonly path?: string;
}): PrincipalKey & { readonly name: string } {
  return { account, name: rolePrefix + name, ...(path === undefined ? {} : { path }) };
}

/** The name of the role that such a key is of; `undefined`: it is no role's. */
export function roleNameOf(name: string | undefined): string | undefined {
  return name?.startsWith(rolePrefix) === true ? name.slice(rolePrefix.length) : undefined;
}

/** As policies and messages name it. */
export function arnOfKey({ account, name, path = '/' }: PrincipalKey): string {
  const role = roleNameOf(name);
  const who = role === undefined ? `user/${name}` : `role${path}${role}`;
  return `arn:aws:iam::${account}:${name === undefined ? 'root' : who}`;
}

/** For logs, the audit and messages: the ARN, of a session its own, or `anonymous`. */
export function describePrincipal(principal: Principal): string {
  if (principal.kind === 'role' && principal.session !== undefined)
    return sessionArn(principal, principal.session);
  return arnOf(principal) ?? 'anonymous';
}

/** The account and name that an ARN of a user or a root means; `undefined` for anything else. */
export function parsePrincipalArn(arn: string): PrincipalKey | undefined {
  const match = /^arn:aws:iam::(\d{12}):(?:(root)|user\/([\w+=,.@-]{1,64}))$/.exec(arn);
  if (match === null) return undefined;
  return { account: match[1] ?? '', name: match[3] };
}

/** The role that an ARN names; `undefined` for anything else. */
export function parseRoleArn(
  arn: string,
): { readonly account: string; readonly name: string; readonly path: string } | undefined {
  const [, account = '', path = '', name = ''] =
    /^arn:aws:iam::(\d{12}):role(\/(?:[\w+=,.@-]+\/)*)([\w+=,.@-]{1,64})$/.exec(arn) ?? [];
  return name === '' ? undefined : { account, name, path };
}

/** The session that an ARN names; `undefined` for anything else. */
export function parseSessionArn(
  arn: string,
): { readonly account: string; readonly name: string; readonly session: string } | undefined {
  const [, account = '', name = '', session = ''] =
    /^arn:aws:sts::(\d{12}):assumed-role\/([\w+=,.@-]{1,64})\/([\w+=,.@-]{2,64})$/.exec(arn) ?? [];
  return session === '' ? undefined : { account, name, session };
}
