import { digestAlgorithms } from '../../domain/names/digest.ts';
import type { Digest, DigestAlgorithm } from '../../domain/names/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import { formatReference } from '../../domain/names/reference.ts';
import type { Reference } from '../../domain/names/reference.ts';
import { parseRepositoryName } from '../../domain/names/repository-name.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import { parseTag } from '../../domain/names/tag.ts';
import type { Tag } from '../../domain/names/tag.ts';
import {
  askedNamespace,
  decodeQuery,
  decodeSegments,
  decodeTags,
  parsePageSize,
  requireDigest,
  requireLast,
  requireName,
  requireReference,
} from './route-values.ts';

/** How the repository was written in the request; the same spelling stands in the answer's `name`, `Link` and `Location`. */
export interface AskedName {
  /** What stands before `/v2`, without slashes at its ends: `docker.io` of `/docker.io/v2/…`, else empty. */
  readonly before: string;
  /** Between `/v2/` and the verb. */
  readonly name: string;
  /** The `ns` parameter as it is sent back: lower case, without https's port. */
  readonly ns: string | undefined;
}

/** What content is reached by: pulled, and but for the lists pushed and deleted too. */
export type ContentRoute =
  | (AskedName & {
      readonly kind: 'manifest';
      readonly reference: Reference;
      /** The `tag` parameters of a push by digest, in their order. */
      readonly tags: readonly Tag[];
    })
  | (AskedName & { readonly kind: 'blob'; readonly digest: Digest })
  | (AskedName & { readonly kind: 'tags'; readonly n: number | undefined; readonly last: string })
  | (AskedName & {
      readonly kind: 'referrers';
      readonly digest: Digest;
      readonly artifactType: string | undefined;
      readonly last: string | undefined;
    });

/** Blobs on their way in. */
export type UploadRoute =
  | (AskedName & {
      readonly kind: 'uploads';
      readonly digest: Digest | undefined;
      readonly mount: Digest | undefined;
      readonly from: RepositoryName | undefined;
      readonly algorithm: DigestAlgorithm;
    })
  | (AskedName & {
      readonly kind: 'upload';
      readonly id: string;
      readonly digest: Digest | undefined;
    });

export type RepositoryRoute = ContentRoute | UploadRoute;

export type Route =
  | { readonly kind: 'home' }
  | { readonly kind: 'base'; readonly before: string; readonly ns: string | undefined }
  | { readonly kind: 'token' }
  | { readonly kind: 'catalog'; readonly n: number | undefined; readonly last: string }
  | RepositoryRoute;

const parameterNames = [
  'ns',
  'n',
  'last',
  'artifactType',
  'digest',
  'mount',
  'from',
  'digest-algorithm',
] as const;

type Parameters = Partial<Record<(typeof parameterNames)[number], string>>;

/** Reads a raw path and query; throws `RegistryError` and nothing else. Names hold slashes, so it reads from both ends. */
export function parseRoute(path: string, query: string): Route {
  if (path === '/') return { kind: 'home' };
  const segments = decodeSegments(path);
  const v2 = segments.indexOf('v2');
  if (v2 < 0) throw unknownRoute();
  const before = segments.slice(0, v2).join('/');
  if (v2 > 0 && segments.slice(0, v2).includes('')) throw unknownRoute();
  const rest = segments.slice(v2 + 1);
  const parameters = decodeQuery(query, parameterNames);
  const ns = parameters.ns === undefined ? undefined : askedNamespace(parameters.ns);
  if (rest.length === 0 || (rest.length === 1 && rest[0] === ''))
    return { kind: 'base', before, ns };
  if (rest.length === 1 && before === '' && rest[0] === 'token') return { kind: 'token' };
  if (rest.length === 1 && before === '' && rest[0] === '_catalog') {
    return { kind: 'catalog', n: parsePageSize(parameters.n), last: parameters.last ?? '' };
  }
  if (rest.length < 3) throw unknownRoute();
  return (
    parseUpload(rest, { before, ns }, parameters) ??
    parseContent(rest, { before, name: rest.slice(0, -2).join('/'), ns }, parameters, query)
  );
}

/** The name by which rules are asked: a prefix before `/v2` is the beginning of the name. */
export function lookupName({ before, name }: AskedName): string {
  return before === '' ? name : `${before}/${name}`;
}

/** The path and query that `parseRoute` reads as this route. */
export function formatRoute(route: Route): string {
  const parameters = new URLSearchParams();
  const path = formatPath(route, parameters);
  const query = parameters.toString();
  return query === '' ? path : `${path}?${query}`;
}

function formatPath(route: Route, parameters: URLSearchParams): string {
  switch (route.kind) {
    case 'home':
      return '/';
    case 'token':
      return '/v2/token';
    case 'catalog':
      if (route.n !== undefined) parameters.set('n', String(route.n));
      if (route.last !== '') parameters.set('last', route.last);
      return '/v2/_catalog';
    case 'base':
    case 'manifest':
    case 'blob':
    case 'tags':
    case 'referrers':
    case 'uploads':
    case 'upload': {
      const head = `${route.before === '' ? '' : `/${encodeName(route.before)}`}/v2/`;
      if (route.ns !== undefined) parameters.set('ns', route.ns);
      return head + (route.kind === 'base' ? '' : formatResource(route, parameters));
    }
  }
}

function formatResource(route: RepositoryRoute, parameters: URLSearchParams): string {
  const name = encodeName(route.name);
  switch (route.kind) {
    case 'manifest':
      for (const tag of route.tags) parameters.append('tag', tag);
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
    case 'uploads':
      if (route.digest !== undefined) parameters.set('digest', route.digest);
      if (route.mount !== undefined) parameters.set('mount', route.mount);
      if (route.from !== undefined) parameters.set('from', route.from);
      if (route.algorithm !== 'sha256') parameters.set('digest-algorithm', route.algorithm);
      return `${name}/blobs/uploads/`;
    case 'upload':
      if (route.digest !== undefined) parameters.set('digest', route.digest);
      return `${name}/blobs/uploads/${encodeURIComponent(route.id)}`;
  }
}

/** `<name>/blobs/uploads`, with or without the slash at its end, and `<name>/blobs/uploads/<id>`. */
function parseUpload(
  rest: readonly string[],
  head: Omit<AskedName, 'name'>,
  parameters: Parameters,
): UploadRoute | undefined {
  const bare = rest.at(-2) === 'blobs' && rest.at(-1) === 'uploads';
  const open = rest.length > 3 && rest.at(-3) === 'blobs' && rest.at(-2) === 'uploads';
  if (!bare && !open) return undefined;
  const asked = { ...head, name: rest.slice(0, bare ? -2 : -3).join('/') };
  requireName(asked);
  const digest = parameters.digest === undefined ? undefined : requireDigest(parameters.digest);
  const id = bare ? '' : (rest.at(-1) ?? '');
  if (id !== '') return { ...asked, kind: 'upload', id: id.slice(0, 128), digest };
  return {
    ...asked,
    kind: 'uploads',
    digest,
    mount: parameters.mount === undefined ? undefined : requireDigest(parameters.mount),
    from: requireSource(parameters.from),
    algorithm: requireAlgorithm(parameters['digest-algorithm']),
  };
}

function parseContent(
  rest: readonly string[],
  asked: AskedName,
  parameters: Parameters,
  query: string,
): ContentRoute {
  const verb = rest.at(-2) ?? '';
  const subject = rest.at(-1) ?? '';
  switch (verb) {
    case 'manifests': {
      requireName(asked);
      const reference = requireReference(subject);
      return { ...asked, kind: 'manifest', reference, tags: requireTags(query) };
    }
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
      const n = parsePageSize(parameters.n);
      return { ...asked, kind: 'tags', n, last: requireLast(parameters.last ?? '') };
    }
    default:
      throw unknownRoute();
  }
}

/** A source that can be no repository's name is one that holds nothing: the mount falls back to an upload. */
function requireSource(text: string | undefined): RepositoryName | undefined {
  if (text === undefined || text === '') return undefined;
  const name = parseRepositoryName(text);
  if (name !== undefined) return name;
  throw new RegistryError('nameInvalid', 'from: invalid repository name', {
    detail: { from: text.slice(0, 255) },
  });
}

function requireAlgorithm(text: string | undefined): DigestAlgorithm {
  if (text === undefined) return 'sha256';
  const algorithm = digestAlgorithms.find((one) => one === text);
  if (algorithm !== undefined) return algorithm;
  throw new RegistryError('digestInvalid', 'digest-algorithm: sha256 and sha512 are known', {
    detail: { 'digest-algorithm': text.slice(0, 64) },
  });
}

function requireTags(query: string): readonly Tag[] {
  return [...new Set(decodeTags(query))].map((text) => {
    const tag = parseTag(text);
    if (tag !== undefined) return tag;
    throw new RegistryError('tagInvalid', 'tag: there can be no such tag', {
      detail: { tag: text.slice(0, 128) },
    });
  });
}

function encodeName(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/');
}

function unknownRoute(): RegistryError {
  return new RegistryError('routeUnknown', 'no such path in the registry API');
}
