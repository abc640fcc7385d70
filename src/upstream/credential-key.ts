import { createHash } from 'node:crypto';
import type { Credential } from '../domain/rules/pull-rule.ts';
import type { Origin } from '../ports/upstream.ts';
import { credentialFor } from './login/realm-guard.ts';

const keys = new WeakMap<Credential, string>();

/** Tells credentials apart without being one; empty for none. */
export function credentialKey(credential: Credential | undefined): string {
  if (credential === undefined) return '';
  const kept = keys.get(credential);
  if (kept !== undefined) return kept;
  const { name, username, accessToken } = credential;
  const key = createHash('sha256')
    .update(JSON.stringify([name, username, accessToken]))
    .digest('base64url');
  keys.set(credential, key);
  return key;
}

/** The key of what is shown to one of a rule's URLs. */
export function credentialKeyOf({ rule, url }: Origin): string {
  return rule.credential === undefined ? '' : credentialKey(credentialFor(rule, url));
}
