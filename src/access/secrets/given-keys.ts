import { hash, hkdfSync } from 'node:crypto';
import { lowerAlphabet } from './random-text.ts';
import type { KeySource, StoredKey } from './sealing.ts';
import { keyBytes } from './sealing.ts';

/** Characters, of all keys together. */
export const givenKeysMax = 65_536;
const keysMax = 100;
const how = `write ${keyBytes} random bytes in base64, as openssl rand -base64 ${keyBytes} prints them`;

/** Keys cannot be had from where the settings say. No message holds a part of one. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

/**
 * Keys as an operator gives them: base64, base64url or hex, between them spaces, commas or line ends. The first seals, all open. A key's
 * id is made of its bytes, or stands before it with a colon, as that of a file of `dataDir/keys` must. `what` names their source.
 */
export function parseKeys(text: string, source: KeySource, what: string): readonly StoredKey[] {
  if (text.length > givenKeysMax)
    throw new KeysUnavailable(`${what} has more than ${givenKeysMax} characters`);
  const words = text.split(/[\s,]+/).filter((word) => word !== '');
  if (words.length === 0) throw new KeysUnavailable(`${what} has no key; ${how}`);
  if (words.length > keysMax) throw new KeysUnavailable(`${what} has more than ${keysMax} keys`);
  const keys = words.map((word, index) => parseKey(word, source, `key ${index + 1} of ${what}`));
  for (const [index, { id }] of keys.entries()) {
    const first = keys.findIndex((key) => key.id === id);
    if (first < index)
      throw new KeysUnavailable(`key ${index + 1} of ${what} has the id of key ${first + 1}`);
  }
  return keys;
}

function parseKey(word: string, source: KeySource, what: string): StoredKey {
  const match = /^(?:([^:]*):)?([A-Za-z0-9+/_-]+={0,2})$/.exec(word);
  const [, id, encoded = ''] = match ?? [];
  if (match === null) throw new KeysUnavailable(`${what} is malformed; ${how}`);
  if (id !== undefined && !/^[a-z2-7]{8}$/.test(id))
    throw new KeysUnavailable(
      `the id before ${what} is malformed; write eight characters of a-z and 2-7, as in the name of its file, or none`,
    );
  const bytes = Buffer.from(encoded, /^[0-9a-fA-F]{64}$/.test(encoded) ? 'hex' : 'base64');
  if (bytes.byteLength !== keyBytes)
    throw new KeysUnavailable(
      `${what} has ${bytes.byteLength} bytes instead of ${keyBytes}; ${how}`,
    );
  return { id: id ?? idOf(bytes), bytes, source, createdAt: 0 };
}

function idOf(bytes: Uint8Array): string {
  const digest = hash('sha256', Buffer.concat([Buffer.from('breakwater key '), bytes]), 'buffer');
  return [...digest.subarray(0, 8)].map((byte) => lowerAlphabet[byte % 32]).join('');
}

/** The key that signs where this one seals. */
export function signingKeyOf(master: StoredKey): StoredKey {
  const derived = hkdfSync('sha256', master.bytes, '', 'breakwater signing', keyBytes);
  return { ...master, bytes: new Uint8Array(derived) };
}
