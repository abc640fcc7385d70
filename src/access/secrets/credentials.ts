import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readPrivateFile, writePrivateFile } from './private-file.ts';
import { mixedAlphabet, randomText, upperAlphabet } from './random-text.ts';

export interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The administrator's key pair, which is also user and password, and where it is used. */
export interface Credentials extends KeyPair {
  readonly region: string;
  readonly endpointUrl: string;
  /** Absolute where `dataDir` is. */
  readonly file: string;
}

/** Bytes; a shared-credentials file of one profile has some 200. */
const fileBytesMax = 65_536;

/**
 * Reads `dataDir/credentials`, an AWS shared-credentials file, or writes it with a new pair at the first start. What an operator
 * wrote into it stays; only the `endpoint_url` of its default profile follows `endpointUrl`.
 * Throws where the file is malformed, or others than owner and group may read it.
 */
export async function openCredentials(
  dataDir: string,
  options: { readonly region: string; readonly endpointUrl: string },
): Promise<Credentials> {
  const file = join(dataDir, 'credentials');
  const text = await readPrivateFile(file, fileBytesMax);
  if (text === undefined) {
    const credentials: Credentials = { ...newKeyPair(), ...options, file };
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await writePrivateFile(dataDir, file, format(credentials));
    return credentials;
  }
  const profile = parse(text, file);
  const kept = {
    accessKeyId: profile.accessKeyId,
    secretAccessKey: profile.secretAccessKey,
    region: profile.region ?? options.region,
    endpointUrl: options.endpointUrl,
    file,
  };
  if (profile.endpointUrl !== options.endpointUrl) {
    await writePrivateFile(dataDir, file, withEndpoint(text, profile, options.endpointUrl));
  }
  return kept;
}

/** As AWS makes them. */
export function newKeyPair(kind: 'AKIA' | 'ASIA' = 'AKIA'): KeyPair {
  return {
    accessKeyId: `${kind}${randomText(upperAlphabet, 16)}`,
    secretAccessKey: randomText(mixedAlphabet, 40),
  };
}

/** Writes the pair in the place of the one of the default profile; all else that stands in the file stays. Throws as `openCredentials`. */
export async function replaceKeyPair(dataDir: string, pair: KeyPair): Promise<void> {
  const file = join(dataDir, 'credentials');
  const text = await readPrivateFile(file, fileBytesMax);
  if (text === undefined) throw new Error(`${file} is missing`);
  const { keyLine, secretLine } = parse(text, file);
  const lines = text.split('\n');
  lines[keyLine] = `aws_access_key_id = ${pair.accessKeyId}`;
  lines[secretLine] = `aws_secret_access_key = ${pair.secretAccessKey}`;
  await writePrivateFile(dataDir, file, lines.join('\n'));
}

function format(credentials: Credentials): string {
  return [
    "# Breakwater's administrator: for AWS_SHARED_CREDENTIALS_FILE, and user and password for registry clients.",
    '[default]',
    `aws_access_key_id = ${credentials.accessKeyId}`,
    `aws_secret_access_key = ${credentials.secretAccessKey}`,
    `region = ${credentials.region}`,
    `endpoint_url = ${credentials.endpointUrl}`,
    '',
  ].join('\n');
}

interface Profile extends KeyPair {
  /** Indexes of their lines. */
  readonly keyLine: number;
  readonly secretLine: number;
  readonly region: string | undefined;
  readonly endpointUrl: string | undefined;
  /** Index of the line; of `[default]` where there is no `endpoint_url`. */
  readonly endpointLine: number;
}

function parse(text: string, file: string): Profile {
  const values = new Map<string, { readonly value: string; readonly line: number }>();
  let section: string | undefined;
  let header: number | undefined;
  for (const [line, raw] of text.split('\n').entries()) {
    const content = raw.trim();
    if (content === '' || content.startsWith('#') || content.startsWith(';')) continue;
    const name = /^\[\s*([^\]]*?)\s*\]/.exec(content)?.[1];
    const equals = content.indexOf('=');
    if (name !== undefined) {
      section = name;
      if (name === 'default') header ??= line;
    } else if (equals <= 0) {
      throw new Error(`${file}:${line + 1}: neither [profile] nor key = value`);
    } else if (section === 'default') {
      values.set(content.slice(0, equals).trim().toLowerCase(), {
        value: content.slice(equals + 1).trim(),
        line,
      });
    }
  }
  if (header === undefined)
    throw new Error(
      `${file}: the profile [default] is missing; remove the file to have a new one written`,
    );
  const endpoint = values.get('endpoint_url');
  const key = values.get('aws_access_key_id');
  const secret = values.get('aws_secret_access_key');
  return {
    keyLine: key?.line ?? header,
    secretLine: secret?.line ?? header,
    accessKeyId: required(key?.value, /^\w{3,128}$/, `${file}: aws_access_key_id of [default]`),
    secretAccessKey: required(
      secret?.value,
      /^[!-~]{16,256}$/,
      `${file}: aws_secret_access_key of [default]`,
    ),
    region: values.get('region')?.value || undefined,
    endpointUrl: endpoint?.value,
    endpointLine: endpoint?.line ?? header,
  };
}

/** The value is never in the message: it may be the secret. */
function required(value: string | undefined, pattern: RegExp, what: string): string {
  if (value === undefined || value === '')
    throw new Error(`${what} is missing; remove the file to have a new one written`);
  if (!pattern.test(value)) throw new Error(`${what} is malformed: ${pattern.source} is expected`);
  return value;
}

function withEndpoint(text: string, profile: Profile, endpointUrl: string): string {
  const lines = text.split('\n');
  const line = `endpoint_url = ${endpointUrl}`;
  if (profile.endpointUrl === undefined) lines.splice(profile.endpointLine + 1, 0, line);
  else lines[profile.endpointLine] = line;
  return lines.join('\n');
}
