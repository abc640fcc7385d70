import { hash } from 'node:crypto';
import type { RoleSession } from '../access.ts';
import { newKeyPair } from './credentials.ts';
import type { KeyPair } from './credentials.ts';
import type { Sealing } from './key-store.ts';

/** Keys that end, and the token that is shown beside them: all that the server knows of them is in it. */
export interface TemporaryKey extends KeyPair {
  readonly sessionToken: string;
  /** Wall time, ms; a whole second. */
  readonly expiresAt: number;
}

/** What a session token holds beside the secret. */
export interface SessionContent {
  /** Whom it speaks for: the ARN of a session, a user, or an account's root. */
  readonly subject: string;
  /** When the role or user was made. */
  readonly madeAt?: number | undefined;
  readonly expiresAt: number;
  /** Of a role. */
  readonly session?: RoleSession | undefined;
  /** Of a user or root: the key that asked for it, with which it ends. */
  readonly key?: { readonly id: string; readonly mark: string } | undefined;
}

/** Longer than any that is made: whatever is, is none. */
const charactersMax = 8192;

export function makeTemporaryKey(sealing: Sealing, content: SessionContent): TemporaryKey {
  const pair = newKeyPair('ASIA');
  const sealed = JSON.stringify({ ...content, secret: pair.secretAccessKey });
  return {
    ...pair,
    sessionToken: sealing.seal(sealed, ownerOf(pair.accessKeyId)),
    expiresAt: content.expiresAt,
  };
}

/** `undefined` for what is no token of that key's. */
export function openSessionToken(
  sealing: Sealing,
  accessKeyId: string,
  token: string,
): (SessionContent & { readonly secret: string }) | undefined {
  if (token.length > charactersMax) return undefined;
  let text: string;
  try {
    text = sealing.open(token, ownerOf(accessKeyId));
  } catch {
    return undefined;
  }
  return JSON.parse(text) as SessionContent & { readonly secret: string };
}

/** Tells a key's secret from an earlier one of its id. */
export function markOfSecret(secret: string): string {
  return hash('sha256', secret, 'base64url');
}

function ownerOf(accessKeyId: string): string {
  return `session/${accessKeyId}`;
}
