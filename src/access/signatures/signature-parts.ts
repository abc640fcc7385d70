import type { QueryParameter } from './canonical-request.ts';
import { incomplete } from './signature-refused.ts';

/** The parts of a signature as they came. */
export interface SignatureParts {
  readonly credential: string;
  readonly signedHeaders: string;
  /** 64 hex digits in lower case. */
  readonly signature: string;
}

export const algorithm = 'AWS4-HMAC-SHA256';
/** A longer header is not looked at. */
const authorizationCharactersMax = 8192;
const signedHeadersMax = 100;

const headerParts = ['Credential', 'SignedHeaders', 'Signature'] as const;

/**
 * `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`, in any order. Nothing of it is in an error's text: it may be another
 * scheme's, and a secret. Throws `SignatureRefused`.
 */
export function readAuthorization(header: string): SignatureParts {
  if (header.length > authorizationCharactersMax)
    throw incomplete(
      `Authorization header must have at most ${authorizationCharactersMax} characters.`,
    );
  const space = header.search(/[ \t]|$/);
  requireAlgorithm(header.slice(0, space));
  const given = new Map<string, string>();
  for (const piece of header.slice(space).split(',')) {
    const text = piece.trim();
    const equals = text.indexOf('=');
    if (equals <= 0)
      throw incomplete(
        'Authorization header has a part that is not a valid key=value pair (missing equal-sign).',
      );
    const key = text.slice(0, equals);
    if (given.has(key)) throw incomplete('Authorization header has a parameter twice.');
    given.set(key, text.slice(equals + 1));
  }
  const missing = headerParts.filter((name) => !given.has(name));
  if (missing.length > 0)
    throw incomplete(
      missing.map((name) => `Authorization header requires '${name}' parameter.`).join(' '),
    );
  if (given.size > headerParts.length)
    throw incomplete('Authorization header has a parameter that is not known.');
  const [credential = '', signedHeaders = '', signature = ''] = headerParts.map((name) =>
    given.get(name),
  );
  requireHex(signature);
  return { credential, signedHeaders, signature };
}

const queryParts = ['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Signature'];

/** Whether the query itself holds a signature, or a part of one. */
export function isPresigned(parameters: readonly QueryParameter[]): boolean {
  return parameters.some(({ name }) => queryParts.includes(name));
}

/** The same of a presigned URL. Throws `SignatureRefused`. */
export function readPresigned(parameters: readonly QueryParameter[]): SignatureParts {
  const required = (name: string): string => {
    const value = valueOf(parameters, name);
    if (value === undefined || value === '')
      throw incomplete(`AWS query-string parameters must include '${name}'.`);
    return value;
  };
  requireAlgorithm(required('X-Amz-Algorithm'));
  const signature = required('X-Amz-Signature');
  requireHex(signature);
  return {
    credential: required('X-Amz-Credential'),
    signedHeaders: required('X-Amz-SignedHeaders'),
    signature,
  };
}

/** A parameter's value, decoded; `undefined`: it is not there. Throws `SignatureRefused` where it is there twice. */
export function valueOf(parameters: readonly QueryParameter[], name: string): string | undefined {
  const [first, second] = parameters.filter((each) => each.name === name);
  if (second !== undefined) throw incomplete(`'${name}' is in the query twice.`);
  if (first === undefined) return undefined;
  try {
    return decodeURIComponent(first.value);
  } catch {
    throw incomplete(`'${name}' in the query is not text.`);
  }
}

/** Names in lower case, sorted, each once. Throws `SignatureRefused` for any other list. */
export function readSignedHeaders(text: string): readonly string[] {
  const names = text.split(';');
  if (names.length > signedHeadersMax)
    throw incomplete(`SignedHeaders must name at most ${signedHeadersMax} headers.`);
  const isSorted = names.every((name, at) => at === 0 || (names[at - 1] ?? '') < name);
  if (!isSorted || !names.every((name) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)))
    throw incomplete(
      'SignedHeaders must be names of headers in lower case, sorted, each once, with a semicolon between.',
    );
  return names;
}

function requireAlgorithm(name: string): void {
  if (name === algorithm) return;
  const shown = /^AWS4?-[A-Z0-9-]{1,40}$/.test(name) ? ` '${name}'` : '';
  throw incomplete(`Unsupported AWS 'algorithm'${shown}: '${algorithm}' is expected.`);
}

function requireHex(signature: string): void {
  if (!/^[0-9a-f]{64}$/.test(signature))
    throw incomplete('The signature must be 64 hexadecimal digits in lower case.');
}
