import { createHmac } from 'node:crypto';
import { TimedMemory } from '../../coordination/timed-memory.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CredentialScope } from './credential-scope.ts';
import { scopeText } from './credential-scope.ts';

/** The keys that signatures are made with: one a secret, day, region and service. */
export interface SigningKeys {
  /** Remembered, or derived. */
  of(accessKeyId: string, secret: string, scope: CredentialScope): Buffer;
  /** To be called once a signature was right: guesses must not evict the keys of those who know their secret. */
  keep(accessKeyId: string, secret: string, scope: CredentialScope, key: Buffer): void;
  clear(): void;
}

interface Kept {
  /** Another secret of the same id never finds it. */
  readonly secret: string;
  readonly key: Buffer;
}

const keysMax = 10_000;
/** Their scope's day, and 15 minutes on either side. */
const keptMs = 25 * 3_600_000;

export function createSigningKeys(clock: Clock): SigningKeys {
  const memory = new TimedMemory<Kept>(clock, { entriesMax: keysMax });
  const nameOf = (accessKeyId: string, scope: CredentialScope): string =>
    `${accessKeyId}/${scopeText(scope)}`;
  return {
    of: (accessKeyId, secret, scope) => {
      const kept = memory.get(nameOf(accessKeyId, scope));
      return kept?.secret === secret ? kept.key : derive(secret, scope);
    },
    keep: (accessKeyId, secret, scope, key) => {
      const name = nameOf(accessKeyId, scope);
      if (memory.get(name)?.key !== key) memory.set(name, { secret, key }, keptMs);
    },
    clear: () => memory.clear(),
  };
}

function derive(secret: string, { date, region, service }: CredentialScope): Buffer {
  const ofDate = hmac(Buffer.from(`AWS4${secret}`, 'utf8'), date);
  return hmac(hmac(hmac(ofDate, region), service), 'aws4_request');
}

export function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'latin1').digest();
}
