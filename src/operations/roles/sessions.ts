import { anonymousCaller } from '../../access/access.ts';
import type { Asker, Audit, RoleSession } from '../../access/access.ts';
import type { Admission } from '../../access/admission/admission.ts';
import { changeOf } from '../../access/audit/audit-entry.ts';
import { userIdOf } from '../../access/identify/unique-id.ts';
import type { Sealing } from '../../access/secrets/key-store.ts';
import { makeTemporaryKey } from '../../access/secrets/temporary-key.ts';
import type { TemporaryKey } from '../../access/secrets/temporary-key.ts';
import type { MarkOwnKey } from '../../access/identify/own-keys.ts';
import type { WebIdentities } from '../../access/identify/web-identities.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Label } from '../../domain/names/label.ts';
import { withLabels } from '../../domain/names/label.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import { besideHome } from '../../domain/names/registry.ts';
import type { IdentityAction } from '../../domain/policy/identity-action.ts';
import { identityActions } from '../../domain/policy/identity-action.ts';
import { parsePolicy } from '../../domain/policy/parser.ts';
import {
  describePrincipal,
  parseRoleArn,
  roleKey,
  sessionArn,
} from '../../domain/policy/principal.ts';
import type { RolePrincipal } from '../../domain/policy/principal.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { RoleRow } from '../../metadata/contract/roles.ts';
import type { Clock } from '../../ports/clock.ts';

interface SessionAsked {
  readonly roleArn: string;
  /** IAM's alphabet, 2 to 64 characters. */
  readonly sessionName: string;
  /** Absent: an hour. */
  readonly durationSeconds?: number | undefined;
  /** What the session may, of what its role may. */
  readonly policy?: string | undefined;
}

export interface BegunSession {
  readonly key: TemporaryKey;
  /** `AROA…:<session>`. */
  readonly id: string;
  readonly arn: string;
  /** Of what a session's policy and labels may take together, in percent; absent: it has neither. */
  readonly packedPercent?: number;
}

/** Temporary keys. Each throws `RegistryError`; nothing of a session is stored. */
export interface SessionOperations {
  assumeRole(
    asker: Asker,
    input: SessionAsked & {
      readonly externalId?: string | undefined;
      readonly tags?: readonly Label[] | undefined;
      readonly transitive?: readonly string[] | undefined;
    },
  ): Promise<BegunSession>;
  /** For whoever has a token of a configured issuer. */
  assumeRoleWithWebIdentity(
    asker: Asker,
    input: SessionAsked & { readonly token: string },
  ): Promise<
    BegunSession & { readonly issuer: string; readonly subject: string; readonly audience: string }
  >;
  /** Keys of the asker's own, which has to show its key. */
  sessionToken(
    asker: Asker,
    input: { readonly durationSeconds?: number | undefined },
  ): Promise<TemporaryKey>;
}

export interface SessionsParts {
  readonly admission: Pick<Admission, 'requireTrust'>;
  readonly metadata: Pick<Metadata, 'roles'>;
  readonly webIdentities: WebIdentities;
  readonly markOwnKey: MarkOwnKey;
  readonly sealing: Sealing;
  readonly home: () => RegistryKey;
  readonly audit: Audit;
  readonly clock: Clock;
}

const hourSeconds = 3600;
const halfDaySeconds = 43_200;
/** Bytes of a session's policy, white space apart, and of its labels. They are carried in a header. */
const packedBytesMax = 4096;
const policyCharactersMax = 2048;

export function createSessionOperations(parts: SessionsParts): SessionOperations {
  return {
    assumeRole: (asker, input) => assumeRole(parts, asker, input),
    assumeRoleWithWebIdentity: (asker, input) => assumeByToken(parts, asker, input),
    sessionToken: (asker, input) => ownSession(parts, asker, input),
  };
}

async function assumeRole(
  parts: SessionsParts,
  asker: Asker,
  input: Parameters<SessionOperations['assumeRole']>[1],
): ReturnType<SessionOperations['assumeRole']> {
  const { externalId, tags: own = [], transitive = [], ...asked } = input;
  const { session: before, principal } = asker.caller;
  const labels = labelsOf(own, transitive, principal.kind === 'role' ? before : undefined);
  const keys = new Map<string, readonly string[]>([['sts:rolesessionname', [input.sessionName]]]);
  if (externalId !== undefined) keys.set('sts:externalid', [externalId]);
  if (own.length > 0)
    keys.set(
      'aws:tagkeys',
      own.map(({ key }) => key),
    );
  for (const { key, value } of own) keys.set(`aws:requesttag/${key.toLowerCase()}`, [value]);
  if (transitive.length > 0) keys.set('sts:transitivetagkeys', transitive);
  const action = identityActions.assumeRole;
  const wanted = own.length === 0 ? [action] : [action, identityActions.tagSession];
  const { role, arn } = await findRole(parts, input.roleArn);
  const ofRole = { ...arn, trust: { policy: role?.trustPolicy, keys } };
  for (const each of wanted) await parts.admission.requireTrust(asker, each, ofRole);
  if (role === undefined) throw new Error('a role that is not there was admitted');
  const isChained = principal.kind === 'role';
  requireDuration(asked, role, isChained);
  return begin(parts, asker, action, { role, asked, session: labels });
}

/** Throws where the ARN is none of a role. A role under another path is not there. */
async function findRole(
  { metadata }: SessionsParts,
  text: string,
): Promise<{
  readonly role: RoleRow | undefined;
  readonly arn: { readonly account: string; readonly arn: string };
}> {
  const named = parseRoleArn(text);
  if (named === undefined)
    throw invalid(`${text.slice(0, 256)} is invalid`, 'write arn:aws:iam::<account>:role/<name>');
  const row = await metadata.roles.findRole(named);
  const role = row?.path === named.path ? row : undefined;
  return { role, arn: { account: named.account, arn: text } };
}

/** Labels that the session before passes on, and those that are asked for. */
function labelsOf(
  own: readonly Label[],
  transitive: readonly string[],
  before: RoleSession | undefined,
): Pick<RoleSession, 'tags' | 'transitive'> {
  const keysOf = (labels: readonly Label[]): readonly string[] =>
    labels.map(({ key }) => key.toLowerCase());
  const keys = new Set(keysOf(own));
  if (keys.size !== own.length)
    throw invalid('Duplicate tag keys found', 'each key once, whatever its case');
  const missing = transitive.find((key) => !keys.has(key.toLowerCase()));
  if (missing !== undefined)
    throw invalid(`TransitiveTagKeys: ${missing} is no key of Tags`, 'name keys that Tags has');
  const handedOn = new Set(before?.transitive?.map((key) => key.toLowerCase()));
  const inherited = (before?.tags ?? []).filter(({ key }) => handedOn.has(key.toLowerCase()));
  const again = keysOf(inherited).find((key) => keys.has(key));
  if (again !== undefined)
    throw invalid(`Tags: ${again} is inherited from the session before`, 'leave it out');
  const tags = withLabels(inherited, { remove: [], set: own });
  const passedOn = [...inherited.map(({ key }) => key), ...transitive];
  return {
    ...(tags.length === 0 ? {} : { tags }),
    ...(passedOn.length === 0 ? {} : { transitive: passedOn }),
  };
}

function requireDuration(
  { durationSeconds = hourSeconds }: SessionAsked,
  { sessionSecondsMax }: RoleRow,
  isChained: boolean,
): void {
  if (isChained && durationSeconds > hourSeconds)
    throw invalid(
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
      'leave it out, or assume the role with an access key',
    );
  if (durationSeconds > sessionSecondsMax)
    throw invalid(
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
      `${sessionSecondsMax} at most`,
    );
}

/** Throws where the policy is none, or it is too long with the labels. */
function packed({ policy = '', tags = [] }: RoleSession): number | undefined {
  if (policy === '' && tags.length === 0) return undefined;
  if (policy.length > policyCharactersMax)
    throw new RegistryError('requestInvalid', `Policy: ${policyCharactersMax} characters at most`, {
      kind: 'sessionTooLarge',
    });
  if (policy !== '') parsePolicy(policy, 'identity');
  const short = policy === '' ? '' : JSON.stringify(JSON.parse(policy));
  const bytes = Buffer.byteLength(short + tags.map(({ key, value }) => key + value).join(''));
  const percent = Math.ceil((bytes / packedBytesMax) * 100);
  if (percent <= 100) return percent;
  throw new RegistryError(
    'requestInvalid',
    `Packed policy consumes ${percent}% of allotted space, please use smaller policy.`,
    { kind: 'sessionTooLarge' },
  );
}

function begin(
  { sealing, audit, clock, home }: SessionsParts,
  asker: Asker,
  action: IdentityAction,
  begun: { readonly role: RoleRow; readonly asked: SessionAsked; readonly session: RoleSession },
): BegunSession {
  const { role, asked } = begun;
  const { durationSeconds = hourSeconds, policy, sessionName } = asked;
  const session = { ...begun.session, ...(policy === undefined ? {} : { policy }) };
  const packedPercent = packed(session);
  const { account, name, path, createdAt: madeAt } = role;
  const principal: RolePrincipal = { kind: 'role', account, name, path, session: sessionName };
  const arn = sessionArn(principal, sessionName);
  const isEmpty = Object.keys(session).length === 0;
  const key = makeTemporaryKey(sealing, {
    subject: arn,
    madeAt,
    expiresAt: endOf(clock.now(), durationSeconds),
    ...(isEmpty ? {} : { session }),
  });
  const subject = { registry: besideHome(home(), account), resource: roleKey(role).name };
  const detail = { session: sessionName, accessKeyId: key.accessKeyId };
  audit.record(changeOf(asker, action, subject, detail));
  const id = userIdOf(principal, madeAt);
  return { key, id, arn, ...(packedPercent === undefined ? {} : { packedPercent }) };
}

async function assumeByToken(
  parts: SessionsParts,
  asker: Asker,
  { token, ...asked }: Parameters<SessionOperations['assumeRoleWithWebIdentity']>[1],
): ReturnType<SessionOperations['assumeRoleWithWebIdentity']> {
  const identity = await parts.webIdentities.verify(token, asker.from);
  const { role, arn } = await findRole(parts, asked.roleArn);
  const provider = `arn:aws:iam::${arn.account}:oidc-provider/${identity.provider}`;
  const keys = new Map<string, readonly string[]>([
    ...identity.claims,
    ['sts:rolesessionname', [asked.sessionName]],
    ['aws:federatedprovider', [provider]],
  ]);
  const action = identityActions.assumeRoleWithWebIdentity;
  // Whoever signs beside the token is not who asks.
  const vouchedFor = { ...asker, caller: anonymousCaller };
  await parts.admission.requireTrust(vouchedFor, action, {
    ...arn,
    trust: { policy: role?.trustPolicy, keys, federated: [provider, identity.provider] },
  });
  if (role === undefined) throw new Error('a role that is not there was admitted');
  requireDuration(asked, role, false);
  const begun = begin(parts, vouchedFor, action, { role, asked, session: { provider } });
  const { issuer, subject, audience } = identity;
  return { ...begun, issuer, subject, audience };
}

async function ownSession(
  { markOwnKey, sealing, clock, audit, home }: SessionsParts,
  asker: Asker,
  { durationSeconds }: { readonly durationSeconds?: number | undefined },
): Promise<TemporaryKey> {
  const { principal, via, credential, madeAt, expiresAt = Infinity } = asker.caller;
  const key = via === 'key' ? await markOwnKey(credential) : undefined;
  if (key === undefined || principal.kind === 'anonymous')
    throw new RegistryError('denied', 'Cannot call GetSessionToken with session credentials');
  const mostSeconds = principal.kind === 'administrator' ? hourSeconds : Infinity;
  const seconds = Math.min(durationSeconds ?? halfDaySeconds, mostSeconds);
  const made = makeTemporaryKey(sealing, {
    subject: describePrincipal(principal),
    madeAt,
    expiresAt: Math.min(endOf(clock.now(), seconds), Math.floor(expiresAt / 1000) * 1000),
    key,
  });
  const { account } = principal;
  const resource = 'name' in principal ? principal.name : 'root';
  const detail = { accessKeyId: made.accessKeyId };
  const subject = { registry: besideHome(home(), account), resource };
  audit.record(changeOf(asker, identityActions.getSessionToken, subject, detail));
  return made;
}

/** In whole seconds, as it is told. */
function endOf(now: number, seconds: number): number {
  return (Math.floor(now / 1000) + seconds) * 1000;
}

function invalid(message: string, hint: string): RegistryError {
  return new RegistryError('requestInvalid', message, { detail: { hint } });
}
