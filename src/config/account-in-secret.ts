import { X509Certificate, createHash } from 'node:crypto';
import { parseJsonObject } from '../domain/json.ts';

/**
 * User names that say how to log in and not who: a JSON key (GCP), an access token (GCP), an identity token (Docker), a
 * refresh token (ACR), a job's token (GitLab).
 */
const fixedUsers: ReadonlySet<string> = new Set([
  '_json_key',
  '_json_key_base64',
  'oauth2accesstoken',
  '<token>',
  '00000000-0000-0000-0000-000000000000',
  'gitlab-ci-token',
]);

/** Claims of a JWT that stay when it is renewed. */
const accountClaims = ['iss', 'sub', 'oid', 'appid', 'tid', 'tenant'] as const;

/** What is shorter may be a password that somebody chose: its digest could be guessed. */
const tokenCharactersMin = 32;

/**
 * Which account a secret is of, where its user name does not say so: a digest, without a key, of what the secret itself calls
 * its account (`client_email` of a JSON key, the subject of a JWT), which a renewed one calls alike; of the whole token where
 * it is opaque, so that each new one counts as another account. `undefined` where the user name says who it is, for a short
 * secret, and for `AWS`: such passwords change every 12 hours, and the registry's account is in its host.
 */
export function accountInSecret(username: string, secret: string): string | undefined {
  if (!fixedUsers.has(username)) return undefined;
  const email = emailInKey(username === '_json_key_base64' ? decoded(secret, 'base64') : secret);
  if (email !== undefined) return digestOf(['client_email', email]);
  const subject = subjectOfToken(secret);
  if (subject !== undefined) return digestOf(['jwt', ...subject]);
  return secret.length < tokenCharactersMin ? undefined : digestOf(['token', secret]);
}

/**
 * Whose a client certificate is, as a digest: by issuer, subject and names, which a renewed one shares; by its bytes where it
 * names nobody.
 */
export function certificateHolder(pem: string): string {
  const { issuer, subject, subjectAltName, fingerprint256 } = new X509Certificate(pem);
  return subject || subjectAltName
    ? digestOf(['holder', issuer, subject, subjectAltName])
    : digestOf(['certificate', fingerprint256]);
}

function emailInKey(text: string): string | undefined {
  const email = parseJsonObject(text)?.['client_email'];
  return typeof email === 'string' && email !== '' ? email : undefined;
}

function subjectOfToken(token: string): readonly string[] | undefined {
  const [header = '', claims = '', signature, ...more] = token.split('.');
  if (signature === undefined || more.length > 0) return undefined;
  if (parseJsonObject(decoded(header, 'base64url')) === undefined) return undefined;
  const said = parseJsonObject(decoded(claims, 'base64url'));
  if (said === undefined || (said['sub'] === undefined && said['oid'] === undefined))
    return undefined;
  return accountClaims.map((name) => JSON.stringify(said[name] ?? null));
}

function decoded(text: string, from: 'base64' | 'base64url'): string {
  return Buffer.from(text, from).toString('utf8');
}

function digestOf(parts: readonly (string | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22);
}
