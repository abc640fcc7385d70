import { describePrincipal, parseSessionArn } from '../../domain/policy/principal.ts';
import { markOfSecret } from '../secrets/temporary-key.ts';
import type { SessionContent } from '../secrets/temporary-key.ts';
import type { AccessKeysOptions } from './access-keys.ts';
import { findKey } from './access-keys.ts';
import type { CheckedCredentials } from './checked-credentials.ts';
import { expiredKey, outdated } from './checked-credentials.ts';
import { findSession } from './principal-rows.ts';

/** Whom temporary keys speak for, as long as the role is there, or the key that they were asked for with is in force. */
export async function callerOfSession(
  accessKeyId: string,
  content: SessionContent,
  options: AccessKeysOptions,
): Promise<CheckedCredentials> {
  if (content.expiresAt <= options.clock.now()) return expiredKey;
  const assumed = parseSessionArn(content.subject);
  return assumed === undefined
    ? await ofKey(content, options)
    : await ofRole(accessKeyId, assumed, content, options);
}

async function ofRole(
  accessKeyId: string,
  assumed: NonNullable<ReturnType<typeof parseSessionArn>>,
  { session, madeAt, expiresAt }: SessionContent,
  { metadata }: AccessKeysOptions,
): Promise<CheckedCredentials> {
  const found = await findSession(metadata, assumed, session);
  if (found === undefined || found.madeAt !== madeAt) return outdated('its role is gone');
  return {
    caller: {
      ...found,
      via: 'session',
      scopes: undefined,
      credential: `session/${accessKeyId}`,
      ...(session === undefined ? {} : { session }),
      expiresAt,
    },
    used: { kind: 'role', id: `${assumed.account}/${assumed.name}` },
  };
}

async function ofKey(
  { subject, madeAt, key, expiresAt }: SessionContent,
  options: AccessKeysOptions,
): Promise<CheckedCredentials> {
  const gone = outdated('the key that it was asked for with is gone');
  const found = key && (await findKey(key.id, options));
  if (found === undefined || 'why' in found || markOfSecret(found.secret) !== key?.mark)
    return gone;
  const checked = await found.speaksFor();
  if ('why' in checked) return checked;
  const { caller, used } = checked;
  if (describePrincipal(caller.principal) !== subject || caller.madeAt !== madeAt) return gone;
  const end = Math.min(expiresAt, caller.expiresAt ?? Infinity);
  return { caller: { ...caller, via: 'session', expiresAt: end }, used };
}
