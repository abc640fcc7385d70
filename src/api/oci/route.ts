import { parseDigest } from '../../domain/digest.ts';
import type { Digest } from '../../domain/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import { formatReference, parseReference } from '../../domain/reference.ts';
import type { Reference } from '../../domain/reference.ts';
import { parseRepositoryName, repositoryNameCharactersMax } from '../../domain/repository-name.ts';
import { decodeQuery, decodeSegments } from './percent.ts';

/** The most tags in one page, and the page where `n` is absent (design.md §3). */
export const tagsPageMax = 10_000;

/** How the repository was written in the request; the same spelling stands in the answer's `name` and `Link`. */
export interface AskedName {
  /** What stands before `/v2`, without slashes at its ends: `docker.io` of `/docker.io/v2/…`, else empty. */
  readonly before: string;
  /** Between `/v2/` and the verb. */
  readonly name: string;
  /** The `ns` parameter as it is sent back: lower case, without https's port. */
  readonly ns: string | undefined;
}

/** What a pull asks for. */
export type PullRoute =
  | (AskedName & { readonly kind: 'manifest'; readonly reference: Reference })
  | (AskedName & { readonly kind: 'blob'; readonly digest: Digest })
  | (AskedName & { readonly kind: 'tags'; readonly n: number | undefined; readonly last: string })
  | (AskedName & {
      readonly kind: 'referrers';
      readonly digest: Digest;
      readonly artifactType: string | undefined;
      readonly last: string | undefined;
    });

export type Route =
  | { readonly kind: 'home' }
  | { readonly kind: 'base'; readonly before: string; readonly ns: string | undefined }
  | PullRoute;

/** True for what this front-end answers: `/`, `/v2/…` and `/<prefix>/v2/…`. */
export function isOciPath(path: string): boolean {
  return (
    path === '/' ||
    path === '/v2' ||
    path.startsWith('/v2/') ||
    path.endsWith('/v2') ||
    path.includes('/v2/')
  );
}

/** Reads a raw path and query; throws `RegistryError` and nothing else. Names hold slashes, so it reads from both ends. */
export function parseRoute(path: string, query: string): Route {
  if (path === '/') return { kind: 'home' };
  const segments = decodeSegments(path);
  const v2 = segments.indexOf('v2');
  if (v2 < 0) throw unknownRoute();
  const before = segments.slice(0, v2).join('/');
  if (v2 > 0 && segments.slice(0, v2).includes('')) throw unknownRoute();
  const rest = segments.slice(v2 + 1);
  const parameters = decodeQuery(query, ['ns', 'n', 'last', 'artifactType']);
  const ns = parameters.ns === undefined ? undefined : askedNamespace(parameters.ns);
  if (rest.length === 0 || (rest.length === 1 && rest[0] === ''))
    return { kind: 'base', before, ns };
  if (rest.length === 1 && rest[0] === '_catalog') {
    throw new RegistryError(
      'routeUnknown',
      'the catalog is not offered: a cache would have to name every upstream repository',
    );
  }
  return parsePull(rest, { before, name: rest.slice(0, -2).join('/'), ns }, parameters);
}

/** The name by which rules are asked: a prefix before `/v2` is the beginning of the name. */
export function lookupName({ before, name }: AskedName): string {
  return before === '' ? name : `${before}/${name}`;
}

/** The path and query that `parseRoute` reads as this route. */
export function formatRoute(route: Route): string {
  if (route.kind === 'home') return '/';
  const head = `${route.before === '' ? '' : `/${encodeName(route.before)}`}/v2/`;
  const parameters = new URLSearchParams();
  if (route.ns !== undefined) parameters.set('ns', route.ns);
  const path = head + (route.kind === 'base' ? '' : formatPull(route, parameters));
  const query = parameters.toString();
  return query === '' ? path : `${path}?${query}`;
}

function formatPull(route: PullRoute, parameters: URLSearchParams): string {
  const name = encodeName(route.name);
  switch (route.kind) {
    case 'manifest':
      return `${name}/manifests/${formatReference(route.reference)}`;
    case 'blob':
      return `${name}/blobs/${route.digest}`;
    case 'tags':
      if (route.n !== undefined) parameters.set('n', String(route.n));
      if (route.last !== '') parameters.set('last', route.last);
      return `${name}/tags/list`;
    case 'referrers':
      if (route.artifactType !== undefined) parameters.set('artifactType', route.artifactType);
      if (route.last !== undefined) parameters.set('last', route.last);
      return `${name}/referrers/${route.digest}`;
  }
}

function parsePull(rest: readonly string[], asked: AskedName, parameters: Parameters): PullRoute {
  const verb = rest.at(-2) ?? '';
  const subject = rest.at(-1) ?? '';
  if (rest.length < 3) throw unknownRoute();
  switch (verb) {
    case 'manifests':
      requireName(asked);
      return { ...asked, kind: 'manifest', reference: requireReference(subject) };
    case 'blobs':
      requireName(asked);
      return { ...asked, kind: 'blob', digest: requireDigest(subject) };
    case 'referrers': {
      requireName(asked);
      // Media types hold no space; a plus that was not encoded arrives as one.
      const artifactType = parameters.artifactType?.replaceAll(' ', '+');
      return {
        ...asked,
        kind: 'referrers',
        digest: requireDigest(subject),
        artifactType: artifactType || undefined,
        last: parameters.last,
      };
    }
    case 'tags': {
      if (subject !== 'list') throw unknownRoute();
      requireName(asked);
      return {
        ...asked,
        kind: 'tags',
        n: parsePageSize(parameters.n),
        last: requireLast(parameters.last ?? ''),
      };
    }
    default:
      throw unknownRoute();
  }
}

type Parameters = Partial<Record<'ns' | 'n' | 'last' | 'artifactType', string>>;

/** A host at the name's head may carry a port: `docker.io:443/library/nginx`. */
function requireName(asked: AskedName): void {
  const name = lookupName(asked);
  if (
    name.length <= repositoryNameCharactersMax &&
    parseRepositoryName(name.replace(/^([^/:]+):\d{1,5}\//, '$1/')) !== undefined
  )
    return;
  throw new RegistryError('nameInvalid', 'invalid repository name', {
    detail: { name: name.slice(0, repositoryNameCharactersMax) },
  });
}

function requireReference(text: string): Reference {
  const reference = parseReference(text);
  if (reference !== undefined) return reference;
  if (text.includes(':')) throw invalidDigest(text);
  throw new RegistryError('tagInvalid', 'there can be no such tag', {
    detail: { tag: text.slice(0, 128) },
  });
}

function requireDigest(text: string): Digest {
  const digest = parseDigest(text);
  if (digest === undefined) throw invalidDigest(text);
  return digest;
}

function invalidDigest(text: string): RegistryError {
  return new RegistryError(
    'digestInvalid',
    'invalid digest: sha256 and sha512 in lower-case hex are known',
    {
      detail: { digest: text.slice(0, 256) },
    },
  );
}

/** Larger pages than we give are given as our largest; zero is an empty page. */
function parsePageSize(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,100}$/.test(text)) {
    throw new RegistryError('paginationInvalid', 'n must be a whole number, not negative', {
      detail: { n: text.slice(0, 100) },
    });
  }
  return Math.min(Number(text), tagsPageMax);
}

function requireLast(last: string): string {
  if (last.length > 128)
    throw new RegistryError('paginationInvalid', 'last is longer than a tag can be');
  return last;
}

function askedNamespace(ns: string): string {
  const lower = ns.toLowerCase();
  return lower.endsWith(':443') ? lower.slice(0, -4) : lower;
}

function encodeName(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/');
}

function unknownRoute(): RegistryError {
  return new RegistryError('routeUnknown', 'no such path in the registry API');
}
