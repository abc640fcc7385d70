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
