/** Who is asking. Names of users and robots are unique in their account. */
export type Principal =
  | { readonly kind: 'anonymous' }
  /** An account's root. The home account's is the server's operator too. */
  | { readonly kind: 'administrator'; readonly account: string }
  | { readonly kind: 'user' | 'robot'; readonly account: string; readonly name: string };

export const anonymous: Principal = { kind: 'anonymous' };

/** IAM's alphabet of user names. */
const namePattern = /^[\w+=,.@-]{1,64}$/;

export function isPrincipalName(text: string): boolean {
  return namePattern.test(text);
}

export function isAccountId(text: string): boolean {
  return /^\d{12}$/.test(text);
}

/** `arn:aws:iam::<account>:root`, `arn:aws:iam::<account>:user/<name>` (robots are users there); `anonymous` has none. */
export function arnOf(principal: Principal): string | undefined {
  switch (principal.kind) {
    case 'anonymous':
      return undefined;
    case 'administrator':
      return arnOfKey({ account: principal.account, name: undefined });
    case 'user':
    case 'robot':
      return arnOfKey(principal);
  }
}

/** A principal by its name; `name` undefined: the account's root. */
export interface PrincipalKey {
  readonly account: string;
  readonly name: string | undefined;
}

/** As policies and messages name it. */
export function arnOfKey({ account, name }: PrincipalKey): string {
  return `arn:aws:iam::${account}:${name === undefined ? 'root' : `user/${name}`}`;
}

/** For logs, the audit and messages: the ARN, or `anonymous`. */
export function describePrincipal(principal: Principal): string {
  return arnOf(principal) ?? 'anonymous';
}

/** The account and name that an ARN of a user or a root means; `undefined` for anything else. */
export function parsePrincipalArn(arn: string): PrincipalKey | undefined {
  const match = /^arn:aws:iam::(\d{12}):(?:(root)|user\/([\w+=,.@-]{1,64}))$/.exec(arn);
  if (match === null) return undefined;
  return { account: match[1] ?? '', name: match[3] };
}
