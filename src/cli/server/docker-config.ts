import { mkdir, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { JsonObject } from '../../domain/json.ts';
import { isObject, parseJsonObject } from '../../domain/json.ts';
import { CommandFailure } from '../command-failure.ts';
import { readIfThere, writeFiles } from '../whole-files.ts';

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
  const text = `${JSON.stringify(next, undefined, '\t')}\n`;
  await writeFiles([{ path: target, text, mode: 0o600 }], true);
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

/** A file that can't be read is not written over, since it may hold other logins. */
async function readConfig(file: string): Promise<JsonObject> {
  const text = (await readIfThere(file)) ?? '';
  if (text.trim() === '') return {};
  const value = parseJsonObject(text);
  if (isObject(value)) return value;
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
