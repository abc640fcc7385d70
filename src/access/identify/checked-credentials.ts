import type { Caller } from '../access.ts';

/** Credentials that were right, or why not. */
export type CheckedCredentials =
  | { readonly caller: Caller; readonly used: UsedCredential | undefined }
  | RefusedCredentials;

export interface RefusedCredentials {
  /** For the audit; never for whoever showed them. */
  readonly why: string;
  /** `unknown`: they name nothing of here; `wrong`: a key or a token that is here, with another secret; `outdated`: they were once right. */
  readonly kind: 'unknown' | 'wrong' | 'outdated';
}

/** What was used: for "last used". */
export interface UsedCredential {
  readonly kind: 'key' | 'token';
  readonly id: string;
}

export function unknown(why: string): RefusedCredentials {
  return { why, kind: 'unknown' };
}

export function wrongSecret(): RefusedCredentials {
  return { why: 'wrong secret', kind: 'wrong' };
}

export function outdated(why: string): RefusedCredentials {
  return { why, kind: 'outdated' };
}
