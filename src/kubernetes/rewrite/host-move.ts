import { dockerHub, normalizeHost } from '../../domain/names/host-name.ts';
import type { ImageName } from '../../domain/names/image-name.ts';
import { parseImageName } from '../../domain/names/image-name.ts';
import { repositoryNameCharactersMax } from '../../domain/names/repository-name.ts';
import { findMove } from '../detect/known-moves.ts';
import type { Renamed, Renaming } from './renaming.ts';

/** A host, or a host and the beginning of a path, from which images go to another. */
export interface ImageSource {
  readonly host: string;
  /** Empty: the whole host. */
  readonly path: string;
}

/** `k8s.gcr.io`, `docker.io/bitnami`; `undefined` where it is no host, or no path of one. */
export function parseImageSource(text: string): ImageSource | undefined {
  const bare = text.replace(/\/$/, '');
  const slash = bare.indexOf('/');
  const host = slash < 0 ? bare : bare.slice(0, slash);
  // A path below it makes a first part without dot and port no host, as images have it.
  const parsed = parseImageName(`${bare}/group/image`);
  if (parsed === undefined || parsed.host !== normalizeHost(host)) return undefined;
  return { host: parsed.host, path: slash < 0 ? '' : bare.slice(slash + 1) };
}

/** Moves what is under `from` to `to`: paths, tags and digests stay, with `library/` for Docker Hub's official images. Both as `parseImageSource` takes them. */
export function createHostMove(from: ImageSource, to: ImageSource): Renaming {
  return (reference) => {
    const image = parseImageName(reference);
    if (image === undefined) return { kind: 'unchanged', reason: 'no image name' };
    const rest = restUnder(from, image);
    if (rest === undefined) return { kind: 'unchanged', reason: `not of ${sourceText(from)}` };
    // `docker.io` to `docker.io/mirror`: what is there already has been moved.
    if (restUnder(to, image) !== undefined && isUnder(to, from))
      return { kind: 'unchanged', reason: `already of ${sourceText(to)}` };
    const repository = [to.path, rest].filter((part) => part !== '').join('/');
    const name = `${to.host}/${repository}`;
    const made = parseImageName(name);
    // `quay.io/a` to a host alone leaves no name; `quay.io/a/b` to docker.io is read as library/b.
    if (made?.host !== to.host || made.repository !== repository)
      return { kind: 'unchanged', reason: `no name for it at ${sourceText(to)}` };
    return named(name, image);
  };
}

/** Moves what the table of known moves says has moved; nothing else. */
export const renameMoved: Renaming = (reference) => {
  const found = findMove(reference);
  if (found === undefined) return { kind: 'unchanged', reason: 'nothing is known of a move' };
  const { image, move } = found;
  if (image === undefined)
    return { kind: 'unchanged', reason: `${move.kind}, and nothing takes its place: ${move.note}` };
  return { kind: 'rewritten', image };
};

/** One after the other: what the first leaves as it is, the second takes as it is. */
export function renameBoth(first: Renaming, second: Renaming): Renaming {
  return (reference) => {
    const one = first(reference);
    if (one.kind === 'unchanged') return second(reference);
    const other = second(one.image);
    return other.kind === 'unchanged' ? one : other;
  };
}

/** `docker.io/redis` is Docker's own image, and whatever is under an organization of that name. */
export function officialName({ host, path }: ImageSource): string | undefined {
  return host === dockerHub && path !== '' && !path.includes('/') ? `library/${path}` : undefined;
}

function restUnder({ host, path }: ImageSource, image: ImageName): string | undefined {
  if (image.host !== host) return undefined;
  if (path === '') return image.repository;
  if (image.repository === path || image.repository === officialName({ host, path })) return '';
  return image.repository.startsWith(`${path}/`)
    ? image.repository.slice(path.length + 1)
    : undefined;
}

function isUnder(inner: ImageSource, outer: ImageSource): boolean {
  return (
    inner.host === outer.host && (outer.path === '' || inner.path.startsWith(`${outer.path}/`))
  );
}

function sourceText({ host, path }: ImageSource): string {
  return path === '' ? host : `${host}/${path}`;
}

function named(name: string, { tag, digest }: ImageName): Renamed {
  if (name.length > repositoryNameCharactersMax)
    return { kind: 'unchanged', reason: `longer than ${repositoryNameCharactersMax} characters` };
  const ending = `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
  return { kind: 'rewritten', image: name + ending };
}
