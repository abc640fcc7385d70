import { describePrincipal } from '../../domain/policy/principal.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Caller } from '../access.ts';
import type { OwnTokens } from './own-tokens.ts';

/** ECR's: the user name beside its passwords. */
export const ecrUserName = 'AWS';
const lifetimeMs = 12 * 3_600_000;

export interface EcrPassword {
  /** Without a colon. */
  readonly password: string;
  /** Wall time, ms. */
  readonly expiresAt: number;
}

/** A password for `AWS:<password>`: 12 hours, within the caller's own limits, and only as long as what it was made with is there. */
export async function mintEcrPassword(
  { principal, scopes, credential, madeAt, expiresAt: end }: Caller,
  { tokens, clock }: { readonly tokens: OwnTokens; readonly clock: Clock },
): Promise<EcrPassword> {
  if (principal.kind === 'anonymous') throw new Error('there is no ECR password for nobody');
  const issuedAt = clock.now();
  const expiresAt = Math.min(issuedAt + lifetimeMs, end ?? Infinity);
  const password = await tokens.issue('ecr', {
    subject: describePrincipal(principal),
    credential,
    madeAt,
    scopes,
    issuedAt,
    expiresAt,
  });
  return { password, expiresAt };
}
