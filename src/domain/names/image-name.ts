import type { Digest } from './digest.ts';
import { parseDigest } from './digest.ts';
import { dockerHub, normalizeHost } from './host-name.ts';
import type { RepositoryName } from './repository-name.ts';
import { parseRepositoryName } from './repository-name.ts';
import type { Tag } from './tag.ts';
import { parseTag } from './tag.ts';

/** An image as people and manifests write it, read as containerd and the kubelet read it. */
export interface ImageName {
  /** Normalized: lower case, one name for Docker Hub. May be Breakwater's own host, which the name alone can't tell. */
  readonly host: string;
  /** With `library/` for Docker Hub's official images. */
  readonly repository: RepositoryName;
  readonly tag: Tag | undefined;
  readonly digest: Digest | undefined;
}

/** Host, name, tag and a sha512 digest together stay below it. */
export const imageNameCharactersMax = 1024;
const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const host = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);

/** `undefined` when the text is no image name (github.com/distribution/reference, ParseNormalizedNamed). */
export function parseImageName(text: string): ImageName | undefined {
  if (text.length > imageNameCharactersMax) return undefined;
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : parseDigest(text.slice(at + 1));
  if (at >= 0 && digest === undefined) return undefined;
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const tag = colon < 0 ? undefined : parseTag(named.slice(colon + 1));
  if (colon >= 0 && tag === undefined) return undefined;
  const where = splitHost(colon < 0 ? named : named.slice(0, colon));
  return where && { ...where, tag, digest };
}

/** Tag and digest as they are written behind the name, each with its sign. */
export function imageEnding({ tag, digest }: Pick<ImageName, 'tag' | 'digest'>): string {
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

function splitHost(name: string): Pick<ImageName, 'host' | 'repository'> | undefined {
  const slash = name.indexOf('/');
  const head = name.slice(0, Math.max(slash, 0));
  if (!isHost(head)) {
    // 64 hex digits alone are an image's id.
    if (slash < 0 && /^[a-f0-9]{64}$/.test(name)) return undefined;
    return at(dockerHub, name);
  }
  // `HOST/x` has a host by its capitals alone: in lower case it would be another image.
  const named = isHost(head.toLowerCase()) && host.test(head);
  return named ? at(normalizeHost(head), name.slice(slash + 1)) : undefined;
}

/** The first part is a host only where it can't be part of a Docker Hub name. */
function isHost(head: string): boolean {
  return head === 'localhost' || /[.:A-Z]/.test(head);
}

function at(hostName: string, path: string): Pick<ImageName, 'host' | 'repository'> | undefined {
  const library = hostName === dockerHub && !path.includes('/') ? 'library/' : '';
  const repository = parseRepositoryName(library + path);
  return repository && { host: hostName, repository };
}
