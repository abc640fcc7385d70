import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../ports/clock.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';
import { lowerAlphabet, randomText } from './random-text.ts';

/** `master` keys seal secrets, `signing` keys sign the tokens that are made here. */
export type KeyPurpose = 'master' | 'signing';

export interface StoredKey {
  readonly id: string;
  readonly createdAt: number;
  /** 256 bits. */
  readonly bytes: Uint8Array;
}

/** What is done with the keys that seal. */
export interface Sealing {
  /** Encrypts a text so that it opens only as that of `owner`, which names what it is of: `v1.<key>.<base64url>`. */
  seal(text: string, owner: string): string;
  /** Throws where the text was changed, is another owner's, or its key is gone. */
  open(sealed: string, owner: string): string;
}

/** The server's own keys. */
export interface KeyStore extends Sealing {
  /** The newest first: that one signs, all of them verify. Never empty. */
  readonly signing: readonly StoredKey[];
}

const folderName = 'keys';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
const fileBytesMax = 4096;
const keysMax = 1000;

/**
 * Reads `dataDir/keys`, one file a key (0600, in a folder 0700); the first start makes one for each purpose.
 * Throws where a file is malformed, or others than owner and group may read it.
 */
export async function openKeyStore(dataDir: string, clock: Clock): Promise<KeyStore> {
  await mkdir(join(dataDir, folderName), { recursive: true, mode: 0o700 });
  const [master, signing] = [
    await keysFor(dataDir, 'master', clock),
    await keysFor(dataDir, 'signing', clock),
  ];
  const masters = new Map(master.map((key) => [key.id, key]));
  const [newest] = master;
  if (newest === undefined) throw new Error(`${join(dataDir, folderName)} has no master key`);
  return {
    seal: (secret, owner) => seal(secret, owner, newest),
    open: (sealed, owner) => open(sealed, owner, masters),
    signing,
  };
}

/** Adds a key, which is the one that seals or signs from the next start on; older ones still open and verify. Answers its id. */
export async function addKey(dataDir: string, purpose: KeyPurpose, clock: Clock): Promise<string> {
  const folder = join(dataDir, folderName);
  const id = randomText(lowerAlphabet, 8);
  const key = {
    purpose,
    createdAt: clock.now(),
    key: randomBytes(keyBytes).toString('base64url'),
  };
  await writePrivateFile(folder, join(folder, `${purpose}-${id}.json`), JSON.stringify(key));
  return id;
}

async function keysFor(
  dataDir: string,
  purpose: KeyPurpose,
  clock: Clock,
): Promise<readonly StoredKey[]> {
  const found = await readKeys(dataDir, purpose);
  if (found.length > 0) return found;
  await addKey(dataDir, purpose, clock);
  return await readKeys(dataDir, purpose);
}

async function readKeys(dataDir: string, purpose: KeyPurpose): Promise<readonly StoredKey[]> {
  const folder = join(dataDir, folderName);
  const keys: StoredKey[] = [];
  for (const name of await readdir(folder)) {
    const match = /^(master|signing)-([a-z2-7]{8})\.json$/.exec(name);
    if (match?.[1] !== purpose || keys.length >= keysMax) continue;
    keys.push(parse(await readPrivateFile(join(folder, name), fileBytesMax), match[2] ?? '', name));
  }
  return keys.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1));
}

function parse(text: string | undefined, id: string, name: string): StoredKey {
  const malformed = `${folderName}/${name} is malformed; bring it back from a backup`;
  let value: unknown;
  try {
    value = JSON.parse(text ?? '');
  } catch {
    throw new Error(malformed);
  }
  if (typeof value !== 'object' || value === null) throw new Error(malformed);
  const { createdAt, key } = value as Readonly<Record<string, unknown>>;
  const bytes = typeof key === 'string' ? Buffer.from(key, 'base64url') : undefined;
  if (typeof createdAt !== 'number' || bytes?.byteLength !== keyBytes) throw new Error(malformed);
  return { id, createdAt, bytes };
}

function seal(secret: string, owner: string, key: StoredKey): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.from(owner));
  const parts = [nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()];
  return `v1.${key.id}.${Buffer.concat(parts).toString('base64url')}`;
}

function open(sealed: string, owner: string, keys: ReadonlyMap<string, StoredKey>): string {
  const match = /^v1\.([a-z2-7]{8})\.([\w-]+)$/.exec(sealed);
  if (match === null) throw new Error('a sealed secret is malformed');
  const [, id = '', encoded = ''] = match;
  const key = keys.get(id);
  if (key === undefined) throw new Error(`the master key ${id} is not in ${folderName}`);
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
