import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { System } from './systems/system.ts';

/** The `Authorization` of a user and password. */
export function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** A pair of keys, under the names of AWS's packages. */
export interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The pair that Breakwater wrote at its first start; `folder` is the one it was started in. */
export function administratorKeys(folder: string): KeyPair {
  const text = readFileSync(join(folder, 'data', 'credentials'), 'utf8');
  const value = (name: string): string =>
    new RegExp(`^${name}\\s*=\\s*(\\S+)`, 'm').exec(text)?.[1] ?? '';
  return {
    accessKeyId: value('aws_access_key_id'),
    secretAccessKey: value('aws_secret_access_key'),
  };
}

/** The `Authorization` of that pair. */
export function administratorOf(folder: string): string {
  const { accessKeyId, secretAccessKey } = administratorKeys(folder);
  return basic(accessKeyId, secretAccessKey);
}

/** A request of `/api/v1`; its answer must be a success. */
export async function callApi(
  system: System,
  authorization: string,
  method: 'POST' | 'PUT',
  path: string,
  input: object,
): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetch(`http://${system.host}:${system.port}/api/v1/${path}`, {
    method,
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify(input),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}
