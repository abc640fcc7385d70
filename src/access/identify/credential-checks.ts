import {
  anonymous,
  arnOfKey,
  parsePrincipalArn,
  parseSessionArn,
} from '../../domain/policy/principal.ts';
import type { Caller, Scope } from '../access.ts';
import type { AccessKeysOptions } from './access-keys.ts';
import { findKey } from './access-keys.ts';
import type { ShownCredentials } from './authorization-header.ts';
import type { CheckedCredentials } from './checked-credentials.ts';
import { checkOwner, isPast, outdated, unknown, wrongSecret } from './checked-credentials.ts';
import { hashOfToken, idOfToken } from '../secrets/named-token.ts';
import type { Oidc } from './oidc.ts';
import { ecrUserName } from './own-tokens.ts';
import type { OwnTokenClaims, OwnTokenKind, OwnTokens } from './own-tokens.ts';
import { findPrincipal, findSession } from './principal-rows.ts';
import type { FoundPrincipal } from './principal-rows.ts';
import { sameSecret } from '../secrets/same-secret.ts';
import { parseScope } from '../secrets/scopes.ts';

export interface CredentialChecksOptions extends AccessKeysOptions {
  readonly tokens: OwnTokens;
  readonly oidc: Oidc;
}

export type CredentialChecks = (shown: ShownCredentials) => Promise<CheckedCredentials>;

/** Decides by the shape of what was shown which credential it is, and checks it as that alone. */
export function createCredentialChecks(options: CredentialChecksOptions): CredentialChecks {
  return async (shown) => {
    const secret = shown.scheme === 'basic' ? shown.password : shown.token;
    const username = shown.scheme === 'basic' ? shown.username : undefined;
    if (username === options.administrator().accessKeyId)
      return await checkKey(username, secret, options);
    if (idOfToken(secret) !== undefined) return await checkNamedToken(secret, options);
    const issuer = options.oidc.issuerOf(secret);
    if (issuer !== undefined) return await checkOidc(secret, issuer, options);
    if (username === undefined) return await checkOwnToken('bearer', secret, options);
    if (username === ecrUserName) return await checkOwnToken('ecr', secret, options);
    return await checkKey(username, secret, options);
  };
}

/** Whether this server or a configured issuer signed them, which nobody comes to by guessing. Throws as the checks do. */
export async function areSigned(
  shown: ShownCredentials,
  { administrator, oidc, tokens }: CredentialChecksOptions,
): Promise<boolean> {
  const secret = shown.scheme === 'basic' ? shown.password : shown.token;
  const username = shown.scheme === 'basic' ? shown.username : undefined;
  if (username === administrator().accessKeyId) return false;
  const issuer = oidc.issuerOf(secret);
  if (issuer !== undefined) return (await oidc.verify(secret, issuer)) !== undefined;
  if (username !== undefined && username !== ecrUserName) return false;
  const kind = username === undefined ? 'bearer' : 'ecr';
  return (await tokens.verify(kind, secret)) !== undefined;
}

/** Whether the key is in force is told to nobody who does not know its secret. */
async function checkKey(
  id: string,
  secret: string,
  options: CredentialChecksOptions,
): Promise<CheckedCredentials> {
  const found = await findKey(id, options);
  if ('why' in found) return found;
  return sameSecret(secret, found.secret) ? await found.speaksFor() : wrongSecret();
}

async function checkNamedToken(
  text: string,
  options: CredentialChecksOptions,
): Promise<CheckedCredentials> {
  const row = await options.metadata.identities.findToken(idOfToken(text) ?? '');
  if (row === undefined) return unknown('unknown token');
  if (!sameSecret(hashOfToken(text), row.hash)) return wrongSecret();
  const owner = { account: row.account, name: row.principal };
  return await checkOwner('token', row, { owner, scopes: limitsOf(row.scopes) }, options);
}

/** No text: no limit. One that can't be read any more admits nothing. */
function limitsOf(scopes: readonly string[]): readonly Scope[] | undefined {
  if (scopes.length === 0) return undefined;
  return scopes.flatMap((text) => parseScope(text) ?? []);
}

async function checkOidc(
  text: string,
  issuer: NonNullable<ReturnType<Oidc['issuerOf']>>,
  { oidc, metadata }: CredentialChecksOptions,
): Promise<CheckedCredentials> {
  const speaker = await oidc.verify(text, issuer);
  if (speaker === undefined) return unknown(`not a token of ${issuer.issuer}`);
  if (speaker === 'expired') return outdated(`expired token of ${issuer.issuer}`);
  if (speaker === 'early')
    return outdated(`token of ${issuer.issuer} that begins later: the clocks differ`);
  const { expiresAt } = speaker;
  const found = await findPrincipal(metadata, speaker);
  if (found === undefined) return outdated(`${issuer.issuer} names no principal that is here`);
  return { caller: { ...found, via: 'oidc', scopes: undefined, expiresAt }, used: undefined };
}

export async function checkOwnToken(
  kind: OwnTokenKind,
  text: string,
  options: Omit<CredentialChecksOptions, 'oidc'>,
): Promise<CheckedCredentials> {
  const { tokens, metadata } = options;
  const claims = await tokens.verify(kind, text);
  if (claims === undefined) return unknown(kind === 'ecr' ? 'wrong ECR password' : 'wrong token');
  if (claims === 'expired') return outdated('expired');
  const { scopes, madeAt, expiresAt } = claims;
  if (claims.subject === 'anonymous')
    return { caller: { principal: anonymous, via: kind, scopes, expiresAt }, used: undefined };
  const found = await findSubject(claims, metadata);
  if (found === undefined || (madeAt !== undefined && madeAt !== found.madeAt))
    return outdated('no such principal');
  const behind = await credentialBehind(claims, options);
  if (behind === undefined) return outdated('what it was made with is gone');
  return {
    caller: {
      principal: found.principal,
      via: kind,
      scopes,
      ...(madeAt === undefined ? {} : { madeAt }),
      ...(found.tags === undefined ? {} : { tags: found.tags }),
      ...(claims.session === undefined ? {} : { session: claims.session }),
      expiresAt,
      ...behind,
    },
    used: undefined,
  };
}

async function findSubject(
  { subject, session }: OwnTokenClaims,
  metadata: AccessKeysOptions['metadata'],
): Promise<FoundPrincipal | undefined> {
  const assumed = parseSessionArn(subject);
  if (assumed !== undefined) return await findSession(metadata, assumed, session);
  const owner = parsePrincipalArn(subject);
  return owner && (await findPrincipal(metadata, owner));
}

/** Of the key or token that ours was made with, as long as it is its principal's still; `undefined` where it is gone. */
async function credentialBehind(
  { credential, subject }: OwnTokenClaims,
  { administrator, homeAccount, metadata, clock }: AccessKeysOptions,
): Promise<Pick<Caller, 'credential' | 'credentialScopes'> | undefined> {
  if (credential === undefined) return {};
  // Temporary keys have no row: they are good until their end, and as long as their role is there.
  if (credential.startsWith('session/')) return { credential };
  const slash = credential.indexOf('/');
  const id = credential.slice(slash + 1);
  const isOwner = (account: string, name: string | undefined): boolean =>
    subject === arnOfKey({ account, name });
  if (credential === `key/${administrator().accessKeyId}`)
    return isOwner(homeAccount, undefined) ? { credential } : undefined;
  if (credential.startsWith('key/')) {
    const row = await metadata.identities.findAccessKey(id);
    if (row?.active !== true || !isOwner(row.account, row.name)) return undefined;
    return isPast(row.expiresAt, clock) ? undefined : { credential };
  }
  const row = await metadata.identities.findToken(id);
  if (row === undefined || !isOwner(row.account, row.principal)) return undefined;
  if (isPast(row.expiresAt, clock)) return undefined;
  const credentialScopes = limitsOf(row.scopes);
  return { credential, ...(credentialScopes === undefined ? {} : { credentialScopes }) };
}
