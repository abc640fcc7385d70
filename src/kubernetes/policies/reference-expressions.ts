import { dockerHub } from '../../domain/names/host-name.ts';
import { imageNameCharactersMax } from '../../domain/names/image-name.ts';
import { repositoryNameCharactersMax } from '../../domain/names/repository-name.ts';

/** A named expression of a policy; later ones may use earlier ones as `variables.NAME`. */
export interface PolicyVariable {
  readonly name: string;
  /** CEL. */
  readonly expression: string;
}

/** A list of a pod's, and an expression of it. */
export interface ImageList {
  readonly field: 'containers' | 'initContainers' | 'ephemeralContainers' | 'volumes';
  readonly expression: string;
}

const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const host = `(?:${label}(?:[.]${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const part = '[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*';
const path = `${part}(?:/${part})*`;
const ending =
  '(?::[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127})?(?:@sha256:[a-f0-9]{64}|@sha512:[a-f0-9]{128})?';

/** A first part that can't be part of a name at Docker Hub; one with capitals alone is no host that anything could be asked of. */
const isHosted = "n[3].matches(r'^(?:[^/]*[.:A-Z][^/]*|localhost)/')";
const isGoodHost = "n[3].matches(r'^(?:[^/]*[.:][^/]*|(?i:localhost))/')";
/** 64 hex digits alone are an image's id. */
const isId = "n[3].matches(r'^[a-f0-9]{64}$')";

/** `images` has for each image of a pod its list, the name of its container or volume, and its text. */
export function imagesVariable(lists: readonly ImageList[]): PolicyVariable {
  return { name: 'images', expression: lists.map(imagesOf).join('\n  + ') };
}

/**
 * A pod's images in CEL, read as `parseImageName` reads them. Beside `images` there is `read`: for each that is an image's name its list and the name of its container, its
 * host, its path, and tag and digest as they are written. `aliases` are other names of hosts.
 */
export function readVariables(
  lists: readonly ImageList[],
  aliases: ReadonlyMap<string, string>,
): readonly PolicyVariable[] {
  const hosts = new Map([...aliases].map(([alias, at]) => [alias, quoted(at)] as const));
  return [
    imagesVariable(lists),
    { name: 'aliases', expression: mapOf(hosts, "''") },
    {
      // List, name, image, and the image without tag and digest.
      name: 'named',
      expression: `variables.images.map(i, [string(i[0]), string(i[1]), string(i[2]), string(i[2].contains('@') ? i[2].substring(0, i[2].indexOf('@')) : i[2])])
  .map(i, [i[0], i[1], i[2], i[3].lastIndexOf(':') > i[3].lastIndexOf('/') ? i[3].substring(0, i[3].lastIndexOf(':')) : i[3]])`,
    },
    {
      // Of what is an image's name: list, name, host, path, and tag and digest as they are written.
      name: 'split',
      expression: `variables.named.filter(n, size(n[2]) <= ${imageNameCharactersMax} && (${isHosted}
    ? ${isGoodHost} && n[2].matches(r'^${host}/${path}${ending}$')
    : n[2].matches(r'^${path}${ending}$') && !${isId}))
  .map(n, ${isHosted}
    ? [string(n[0]), string(n[1]), string(n[3].substring(0, n[3].indexOf('/')).lowerAscii()), string(n[3].substring(n[3].indexOf('/') + 1)), string(n[2].substring(size(n[3])))]
    : [string(n[0]), string(n[1]), '${dockerHub}', string(n[3]), string(n[2].substring(size(n[3])))])`,
    },
    {
      // One name for each registry, and library/ for the official images of Docker Hub.
      name: 'read',
      expression: `variables.split.map(s, [string(s[0]), string(s[1]), string(s[2].endsWith(':443') ? s[2].substring(0, size(s[2]) - 4) : s[2]), string(s[3]), string(s[4])])
  .map(s, [s[0], s[1], s[2] in variables.aliases ? string(variables.aliases[s[2]]) : s[2], s[3], s[4]])
  .map(s, [s[0], s[1], s[2], s[2] == '${dockerHub}' && !s[3].contains('/') ? 'library/' + s[3] : s[3], s[4]])
  .filter(s, size(s[3]) <= ${repositoryNameCharactersMax})`,
    },
  ];
}

/** A list of a pod, which may be missing. */
export function podList(object: 'object' | 'oldObject', field: ImageList['field']): string {
  return `${object}.spec.?${field}.orValue([])`;
}

/** The image of an entry `c` of a list; empty where it has none. */
export function imageOf(field: ImageList['field']): string {
  return `${field === 'volumes' ? 'c.?image.?reference' : 'c.?image'}.orValue('')`;
}

function imagesOf({ field, expression }: ImageList): string {
  return `${expression}.map(c, ['${field}', string(c.?name.orValue('')), string(${imageOf(field)})])`;
}

/** A map of texts to expressions; `like` is such an expression, from which one without entries has its type. No host is empty. */
export function mapOf(entries: ReadonlyMap<string, string>, like: string): string {
  const all = entries.size === 0 ? [['', like] as const] : [...entries];
  return `{${all.map(([key, value]) => `${quoted(key)}: ${value}`).join(',\n  ')}}`;
}

/** Hosts and repository names hold no character that would need an escape. */
export function quoted(text: string): string {
  return `'${text}'`;
}
