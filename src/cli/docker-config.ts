import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, realpath, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CommandFailure } from './command-failure.ts';

/** Where docker and its kin look for logins. */
export function dockerConfigFile(env: NodeJS.ProcessEnv): string {
  const folder = env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker');
  return join(folder, 'config.json');
}

/**
 * Puts a host's login beside the others, in one step and closed to others (0600); all else in the file stays. `auth` is base64
 * of `user:password`. Answers the credential helper that docker asks for the host before it looks here, if there is one.
 */
export async function writeDockerLogin(
  file: string,
  host: string,
  auth: string,
): Promise<string | undefined> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const target = await followed(file);
  const config = await readConfig(target);
  const auths = objectOf(config['auths']);
  const next = { ...config, auths: { ...auths, [host]: { ...objectOf(auths[host]), auth } } };
  await replace(target, `${JSON.stringify(next, undefined, '\t')}\n`);
  const helper = objectOf(config['credHelpers'])[host] ?? config['credsStore'];
  return typeof helper === 'string' && helper !== '' ? helper : undefined;
}

/** A link stays one: what it leads to is written. */
async function followed(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return file;
    throw error;
  }
}

type Json = Readonly<Record<string, unknown>>;

async function readConfig(file: string): Promise<Json> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  if (text.trim() === '') return {};
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  } catch {
    // Told below: a file that can't be read is not written over, since it may hold other logins.
  }
  throw new CommandFailure(`${file} is no JSON object`, {
    exit: 'failure',
    code: 'DOCKER_CONFIG_INVALID',
    hint: 'repair or move it, then log in again',
  });
}

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Json)
    : {};
}

async function replace(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
