import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

export type KeySource = 'file' | 'environment' | 'command';

/** One of the server's own keys. */
export interface StoredKey {
  readonly id: string;
  /** 256 bits. */
  readonly bytes: Uint8Array;
  readonly source: KeySource;
  /** Wall ms; 0 for one whose source does not say. */
  readonly createdAt: number;
  /** Since when another one seals or signs instead of it, wall ms; only of files. */
  readonly supersededAt?: number | undefined;
}

export const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** The key that sealed is not among those that are here. */
export class KeyMissing extends Error {
  override readonly name = 'KeyMissing';
  readonly id: string;

  constructor(id: string) {
    super(`the master key ${id} is not among the keys of this server`);
    this.id = id;
  }
}

export function seal(secret: string, owner: string, key: StoredKey): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.from(owner));
  const parts = [nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()];
  return `v1.${key.id}.${Buffer.concat(parts).toString('base64url')}`;
}

/** Throws `KeyMissing`, and `Error` for what was changed or is another owner's. */
export function open(sealed: string, owner: string, keys: ReadonlyMap<string, StoredKey>): string {
  const match = /^v1\.([a-z2-7]{8})\.([\w-]+)$/.exec(sealed);
  if (match === null) throw new Error('a sealed secret is malformed');
  const [, id = '', encoded = ''] = match;
  const key = keys.get(id);
  if (key === undefined) throw new KeyMissing(id);
  const bytes = Buffer.from(encoded, 'base64url');
  // What base64url leaves over at the end must not be a second spelling.
  if (bytes.byteLength < nonceBytes + tagBytes || bytes.toString('base64url') !== encoded)
    throw new Error('a sealed secret is malformed');
  const end = bytes.byteLength - tagBytes;
  const decipher = createDecipheriv('aes-256-gcm', key.bytes, bytes.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(Buffer.from(owner));
  decipher.setAuthTag(bytes.subarray(end));
  const secret = decipher.update(bytes.subarray(nonceBytes, end), undefined, 'utf8');
  return secret + decipher.final('utf8');
}
