import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { isObject } from '../../domain/json.ts';
import type { JsonObject } from '../../domain/json.ts';
import { CommandFailure } from '../command-failure.ts';

/** Where docker and its kin look for logins. */
export function dockerConfigFile(env: NodeJS.ProcessEnv): string {
  const folder = env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker');
  return join(folder, 'config.json');
}

/**
 * Puts a host's login beside the others, in one step and closed to others (0600); all else in the file stays, its owner too. `auth`
 * is base64 of `user:password`; what clients would use of an earlier login in its stead goes. Answers the credential helper that docker asks for the host before it looks here, if there is one.
 */
export async function writeDockerLogin(
  file: string,
  host: string,
  auth: string,
): Promise<string | undefined> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const target = await followed(file);
  const config = await readConfig(target);
  const auths = config['auths'] ?? {};
  if (!isObject(auths)) throw invalid(target, 'has no object in auths');
  const {
    identitytoken: _identity,
    registrytoken: _registry,
    username: _name,
    password: _password,
    ...rest
  } = objectOf(auths[host]);
  const next = { ...config, auths: { ...auths, [host]: { ...rest, auth } } };
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

async function readConfig(file: string): Promise<JsonObject> {
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
    if (isObject(value)) return value;
  } catch {
    // Told below: a file that can't be read is not written over, since it may hold other logins.
  }
  throw invalid(file, 'is no JSON object');
}

function invalid(file: string, what: string): CommandFailure {
  return new CommandFailure(`${file} ${what}`, {
    exit: 'failure',
    code: 'DOCKER_CONFIG_INVALID',
    hint: 'repair or move it, then log in again',
  });
}

function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

async function replace(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await keepOwner(handle, file);
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

/** Who logs in for somebody else, as root does with sudo, leaves them their file. */
async function keepOwner(handle: FileHandle, file: string): Promise<void> {
  const before = await stat(file).catch(() => undefined);
  if (before === undefined) return;
  const { uid, gid } = await handle.stat();
  if (before.uid === uid && before.gid === gid) return;
  try {
    await handle.chown(before.uid, before.gid);
  } catch (error) {
    // Nobody but root gives files away; whoever may write here is the file's user anyway.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
}
