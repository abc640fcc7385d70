import { parseDigest } from '../../domain/names/digest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import { parseReference } from '../../domain/names/reference.ts';
import type { Reference } from '../../domain/names/reference.ts';
import {
  parseRepositoryName,
  repositoryNameCharactersMax,
} from '../../domain/names/repository-name.ts';

/** The most names in one page, and the page where `n` is absent. */
export const pageMax = 10_000;

/** A host at the name's head may carry a port: `docker.io:443/library/nginx`. */
export function requireName(asked: { readonly before: string; readonly name: string }): void {
  const name = asked.before === '' ? asked.name : `${asked.before}/${asked.name}`;
  if (
    name.length <= repositoryNameCharactersMax &&
    parseRepositoryName(name.replace(/^([^/:]+):\d{1,5}\//, '$1/')) !== undefined
  )
    return;
  throw new RegistryError('nameInvalid', 'invalid repository name', {
    detail: { name: name.slice(0, repositoryNameCharactersMax) },
  });
}

export function requireReference(text: string): Reference {
  const reference = parseReference(text);
  if (reference !== undefined) return reference;
  if (text.includes(':')) throw invalidDigest(text);
  throw new RegistryError('tagInvalid', 'there can be no such tag', {
    detail: { tag: text.slice(0, 128) },
  });
}

export function requireDigest(text: string): Digest {
  const digest = parseDigest(text);
  if (digest === undefined) throw invalidDigest(text);
  return digest;
}

function invalidDigest(text: string): RegistryError {
  return new RegistryError(
    'digestInvalid',
    'invalid digest: sha256 and sha512 in lower-case hex are known',
    { detail: { digest: text.slice(0, 256) } },
  );
}

/** Larger pages than we give are given as our largest; zero is an empty page. */
export function parsePageSize(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,100}$/.test(text)) {
    throw new RegistryError('paginationInvalid', 'n must be a whole number, not negative', {
      detail: { n: text.slice(0, 100) },
    });
  }
  return Math.min(Number(text), pageMax);
}

/** A place in an upstream's list, as our own `Link` names it: no tag begins with `~`. */
const placeCharactersMax = 4096;

export function requireLast(last: string): string {
  if (last.length > (last.startsWith('~') ? placeCharactersMax : 128))
    throw new RegistryError('paginationInvalid', 'last is longer than a tag can be');
  return last;
}

export function askedNamespace(ns: string): string {
  const lower = ns.toLowerCase();
  return lower.endsWith(':443') ? lower.slice(0, -4) : lower;
}

/** Tags of one push; a request target has 16 KiB anyway. */
const tagsMax = 100;

/** A path's segments, each percent-decoded once. A decoded slash or NUL, and bytes that are no UTF-8, are `requestInvalid`. */
export function decodeSegments(path: string): string[] {
  const segments = path.slice(1).split('/');
  if (!path.includes('%')) return segments.map(refuseNul);
  return segments.map((segment) => {
    const decoded = decode(segment);
    if (decoded.includes('/'))
      throw new RegistryError('requestInvalid', 'a path segment holds an encoded slash');
    return refuseNul(decoded);
  });
}

/** The parameters that are asked for; one that comes twice with two values, or badly encoded, is `requestInvalid`. */
export function decodeQuery<Name extends string>(
  query: string,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const found: Partial<Record<Name, string>> = {};
  if (query === '') return found;
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    const key = decode((equals < 0 ? pair : pair.slice(0, equals)).replaceAll('+', ' '));
    const name = names.find((candidate) => candidate === key);
    if (name === undefined) continue;
    const value = equals < 0 ? '' : refuseNul(decode(pair.slice(equals + 1).replaceAll('+', ' ')));
    if (found[name] !== undefined && found[name] !== value) {
      throw new RegistryError('requestInvalid', `the parameter ${name} is given twice`);
    }
    found[name] = value;
  }
  return found;
}

/** Values of `tag`, which may be given several times (distribution-spec, "Pushing a Manifest with Tags"). */
export function decodeTags(query: string): string[] {
  if (!query.includes('tag=')) return [];
  const tags = query
    .split('&')
    .filter((pair) => pair.startsWith('tag='))
    .map((pair) => refuseNul(decode(pair.slice(4).replaceAll('+', ' '))));
  if (tags.length <= tagsMax) return tags;
  throw new RegistryError('requestInvalid', `${tags.length} tags; ${tagsMax} at most in one push`);
}

function decode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RegistryError('requestInvalid', 'the request target is not percent-encoded properly');
  }
}

function refuseNul(text: string): string {
  if (text.includes('\0'))
    throw new RegistryError('requestInvalid', 'the request target holds a NUL');
  return text;
}
