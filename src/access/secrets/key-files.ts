import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJsonObject } from '../../domain/json.ts';
import type { Clock } from '../../ports/clock.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';
import { lowerAlphabet, randomText } from './random-text.ts';
import type { StoredKey } from './sealing.ts';
import { keyBytes } from './sealing.ts';

/** `master` keys seal secrets, `signing` keys sign the tokens that are made here. */
export type KeyPurpose = 'master' | 'signing';

const folderName = 'keys';
const fileBytesMax = 4096;
const keysMax = 1000;

/**
 * Adds a key, which is the one that seals or signs from the next reading on, whatever a clock that was set back says; older ones still
 * open and verify. Answers its id.
 */
export async function addKey(dataDir: string, purpose: KeyPurpose, clock: Clock): Promise<string> {
  const [newest] = await readKeyFiles(dataDir, purpose);
  const createdAt = Math.max(clock.now(), (newest?.createdAt ?? 0) + 1);
  const id = randomText(lowerAlphabet, 8);
  const bytes = randomBytes(keyBytes);
  await mkdir(join(dataDir, folderName), { recursive: true, mode: 0o700 });
  await markKey(dataDir, purpose, { id, createdAt, bytes, source: 'file' });
  return id;
}

/** Outlives a power cut once it settles. */
export async function removeKey(dataDir: string, purpose: KeyPurpose, id: string): Promise<void> {
  const folder = join(dataDir, folderName);
  await rm(join(folder, `${purpose}-${id}.json`), { force: true });
  await using handle = await open(folder, 'r');
  await handle.sync();
}

/** Writes a key with what is noted of it, whole or not at all. */
export async function markKey(
  dataDir: string,
  purpose: KeyPurpose,
  { id, createdAt, bytes, supersededAt }: StoredKey,
): Promise<void> {
  const folder = join(dataDir, folderName);
  const key = Buffer.from(bytes).toString('base64url');
  const text = JSON.stringify({ purpose, createdAt, supersededAt, key });
  await writePrivateFile(folder, join(folder, `${purpose}-${id}.json`), text);
}

/** The newest first. Throws where a file is malformed, or others than owner and group may read it. */
export async function readKeyFiles(
  dataDir: string,
  purpose: KeyPurpose,
): Promise<readonly StoredKey[]> {
  const folder = join(dataDir, folderName);
  const keys: StoredKey[] = [];
  for (const name of await namesIn(folder)) {
    const match = /^(master|signing)-([a-z2-7]{8})\.json$/.exec(name);
    if (match?.[1] !== purpose || keys.length >= keysMax) continue;
    keys.push(parse(await readPrivateFile(join(folder, name), fileBytesMax), match[2] ?? '', name));
  }
  return keys.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1));
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function parse(text: string | undefined, id: string, name: string): StoredKey {
  const { createdAt, supersededAt, key } = parseJsonObject(text ?? '') ?? {};
  const bytes = typeof key === 'string' ? Buffer.from(key, 'base64url') : undefined;
  if (
    typeof createdAt !== 'number' ||
    bytes?.byteLength !== keyBytes ||
    (supersededAt !== undefined && typeof supersededAt !== 'number')
  )
    throw new Error(`${folderName}/${name} is malformed; bring it back from a backup`);
  return { id, createdAt, bytes, source: 'file', supersededAt };
}
