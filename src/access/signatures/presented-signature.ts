import type { SignedRequest } from '../access.ts';
import type { HeaderLines, QueryParameter } from './canonical-request.ts';
import {
  canonicalHeader,
  canonicalPath,
  canonicalQuery,
  readHeaderLines,
  readQuery,
} from './canonical-request.ts';
import type { CredentialScope, SignedTime } from './credential-scope.ts';
import { readCredential, readTime } from './credential-scope.ts';
import {
  isPresigned,
  readAuthorization,
  readPresigned,
  readSignedHeaders,
} from './signature-parts.ts';
import { valueOf } from './signature-parts.ts';
import { SignatureRefused, incomplete, wrong } from './signature-refused.ts';

/** A request's signature and what it is said to sign, read and not yet believed. */
export interface PresentedSignature {
  readonly accessKeyId: string;
  readonly scope: CredentialScope;
  readonly time: SignedTime;
  /** The parameters of the query sign it, not the Authorization header. */
  readonly presigned: boolean;
  /** For how long, of a presigned one. */
  readonly expiresMs: number | undefined;
  /** Of temporary credentials. */
  readonly sessionToken: string | undefined;
  /** 64 hex digits. */
  readonly signature: string;
  /** What `x-amz-content-sha256` says of the body, 64 hex digits. */
  readonly contentSha256: string | undefined;
  /** The canonical request up to its last line, which is the hash of the body; characters are bytes. */
  readonly canonicalHead: string;
}

const queryParametersMax = 100;
/** Of those that are signed, their names included. */
const headerBytesMax = 16_384;
/** AWS's: a week. */
const expiresSecondsMax = 604_800;

/** Throws `SignatureRefused` where the request is not signed, or its signature lacks something. */
export function readSignature(request: SignedRequest): PresentedSignature {
  const lines = readHeaderLines(request.rawHeaders);
  const parameters = readQuery(request.query);
  const authorization = only(lines, 'authorization');
  const presigned = isPresigned(parameters);
  if (authorization === undefined && !presigned)
    throw new SignatureRefused('missing', 'Missing Authentication Token');
  if (authorization !== undefined && presigned)
    throw incomplete('A request is signed by its Authorization header or by its query, not both.');
  if (parameters.length > queryParametersMax)
    throw incomplete(`The query must have at most ${queryParametersMax} parameters.`);
  const parts =
    authorization === undefined ? readPresigned(parameters) : readAuthorization(authorization);
  const given = (name: string): string | undefined =>
    presigned ? valueOf(parameters, name) : only(lines, name.toLowerCase());
  const time = readTime(given('X-Amz-Date'));
  const names = readSignedHeaders(parts.signedHeaders);
  requireSigned(lines, names, presigned);
  const signed = presigned
    ? parameters.filter(({ name }) => name !== 'X-Amz-Signature')
    : parameters;
  const target = `${request.method}\n${canonicalPath(request.path)}\n${canonicalQuery(signed)}\n`;
  return {
    ...readCredential(parts.credential, time),
    time,
    presigned,
    expiresMs: presigned ? readExpires(parameters) : undefined,
    sessionToken: given('X-Amz-Security-Token'),
    signature: parts.signature,
    contentSha256: readContentSha256(lines, parameters),
    canonicalHead: `${target}${canonicalHeaders(lines, names)}\n${parts.signedHeaders}\n`,
  };
}

/** Of a header that counts; `undefined`: it is not there. Two readers of one request must not see two values. */
function only(lines: HeaderLines, name: string): string | undefined {
  const values = lines.get(name);
  if (values !== undefined && values.length > 1) throw incomplete(`'${name}' is there twice.`);
  return values?.[0];
}

/** What decides what a request does, where, when and for whom is signed. */
function requireSigned(lines: HeaderLines, names: readonly string[], presigned: boolean): void {
  for (const { header, text } of mustBeSigned) {
    const isThere = header === 'host' || only(lines, header) !== undefined;
    if (!isThere || names.includes(header)) continue;
    // A presigned URL has a time of its own.
    if (presigned && header === 'x-amz-date') continue;
    throw wrong(`'${text}' must be a 'SignedHeader' in the AWS Authorization.`);
  }
}

const mustBeSigned = [
  { header: 'host', text: 'Host' },
  { header: 'x-amz-date', text: 'X-Amz-Date' },
  { header: 'x-amz-target', text: 'X-Amz-Target' },
  { header: 'x-amz-security-token', text: 'X-Amz-Security-Token' },
] as const;

function canonicalHeaders(lines: HeaderLines, names: readonly string[]): string {
  let text = '';
  for (const name of names) {
    const line = canonicalHeader(lines, name);
    if (line === undefined) throw wrong(`The signed header '${name}' is not in the request.`);
    text += line;
    if (text.length > headerBytesMax)
      throw incomplete(`The signed headers must have at most ${headerBytesMax} bytes.`);
  }
  return text;
}

function readExpires(parameters: readonly QueryParameter[]): number {
  const text = valueOf(parameters, 'X-Amz-Expires');
  if (text === undefined)
    throw incomplete("AWS query-string parameters must include 'X-Amz-Expires'.");
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (seconds < 1 || seconds > expiresSecondsMax)
    throw incomplete(`X-Amz-Expires must be a number of seconds from 1 to ${expiresSecondsMax}.`);
  return seconds * 1000;
}

/** Presigners put it into the query. `UNSIGNED-PAYLOAD` and the hashes of streams say nothing of the body, which decides what is done. */
function readContentSha256(
  lines: HeaderLines,
  parameters: readonly QueryParameter[],
): string | undefined {
  const name = 'x-amz-content-sha256';
  const inQuery = parameters.filter((each) => each.name.toLowerCase() === name);
  const said = [only(lines, name), ...inQuery.map(({ value }) => value)].filter(
    (value) => value !== undefined,
  );
  if (said.some((value) => !/^[0-9a-f]{64}$/.test(value)))
    throw incomplete(
      'x-amz-content-sha256 must be the SHA-256 of the body in hexadecimal digits: a body that is not signed is not accepted.',
    );
  if (new Set(said).size > 1) throw incomplete('x-amz-content-sha256 is there with two values.');
  return said[0];
}
