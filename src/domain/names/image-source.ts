import { dockerHub, normalizeHost } from './host-name.ts';
import type { ImageName } from './image-name.ts';
import { parseImageName } from './image-name.ts';

/** A registry, or a part of it. */
export interface ImageSource {
  /** Normalized. */
  readonly host: string;
  /** Of names there, in whole parts; empty: all of them. */
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

export function sourceText({ host, path }: ImageSource): string {
  return path === '' ? host : `${host}/${path}`;
}

/** What an image's repository has below the source's path, empty for the path itself; `undefined`: it is none of the source's. */
export function restUnder({ host, path }: ImageSource, image: ImageName): string | undefined {
  const { repository } = image;
  if (image.host !== host) return undefined;
  if (path === '') return repository;
  if (repository === path) return '';
  return repository.startsWith(`${path}/`) ? repository.slice(path.length + 1) : undefined;
}

/** `library/redis` of `docker.io/redis`, by which people mean Docker's own image as well as an organization; `undefined` for all else. */
export function officialName({ host, path }: ImageSource): string | undefined {
  return host === dockerHub && path !== '' && !path.includes('/') ? `library/${path}` : undefined;
}
