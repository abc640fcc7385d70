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
      return `arn:aws:iam::${principal.account}:root`;
    case 'user':
    case 'robot':
      return `arn:aws:iam::${principal.account}:user/${principal.name}`;
  }
}

/** For logs, the audit and messages: the ARN, or `anonymous`. */
export function describePrincipal(principal: Principal): string {
  return arnOf(principal) ?? 'anonymous';
}

/** The account and name that an ARN of a user or a root means; `undefined` for anything else. */
export function parsePrincipalArn(
  arn: string,
): { readonly account: string; readonly name: string | undefined } | undefined {
  const match = /^arn:aws:iam::(\d{12}):(?:(root)|user\/([\w+=,.@-]{1,64}))$/.exec(arn);
  if (match === null) return undefined;
  return { account: match[1] ?? '', name: match[3] };
}
