import type { ImageMapping, MappingRow } from '../../domain/image-rewrite.ts';
import { dockerHub } from '../../domain/names/host-name.ts';
import { imageNameCharactersMax } from '../../domain/names/image-name.ts';
import { repositoryNameCharactersMax } from '../../domain/names/repository-name.ts';

/** A named expression of a policy; later ones may use earlier ones as `variables.NAME`. */
export interface PolicyVariable {
  readonly name: string;
  /** CEL. */
  readonly expression: string;
}

/** The longest expression that the API server parses, in characters. */
const expressionCharactersMax = 100_000;

/** The mapping has more lines than an expression of a policy can hold. */
export class MappingTooLarge extends Error {
  override readonly name = 'MappingTooLarge';
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

/** A list of a pod's, and an expression of it. */
export interface ImageList {
  readonly field: 'containers' | 'initContainers' | 'ephemeralContainers' | 'volumes';
  readonly expression: string;
}

/**
 * What becomes of a pod's images, in CEL: `table` has for each that changes its list, the name of its container or volume, and the new image. It
 * reads names as `parseImageName` does and chooses among the lines of the mapping, so that both say the same. Throws `MappingTooLarge`.
 */
export function imageVariables(
  mapping: ImageMapping,
  lists: readonly ImageList[],
): readonly PolicyVariable[] {
  const variables = [
    { name: 'images', expression: lists.map(imagesOf).join('\n  + ') },
    { name: 'aliases', expression: mapOf(aliasesOf(mapping.rows), "''") },
    { name: 'lines', expression: linesOf(mapping) },
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
    {
      name: 'table',
      expression: `variables.read.filter(r, r[2] in variables.lines)
  .map(r, variables.lines[r[2]].filter(l, l[3] == 'whole' ? r[3] == l[0] : r[3].startsWith(l[0]))
    .map(l, [string(r[0]), string(r[1]), string(l[3] == 'whole' || r[3].substring(size(l[0])).contains('/') ? l[1] : l[2]), string(r[3].substring(size(l[0]))), string(r[4])]))
  .filter(t, size(t) > 0 && t[0][2] != '' && size(t[0][2]) + size(t[0][3]) <= ${repositoryNameCharactersMax})
  .map(t, [t[0][0], t[0][1], t[0][2] + t[0][3] + t[0][4]])`,
    },
  ];
  for (const { name, expression } of variables)
    if (expression.length > expressionCharactersMax)
      throw new MappingTooLarge(
        `${mapping.rows.length} lines of a mapping make an expression "${name}" of ${expression.length} characters; the API server reads ${expressionCharactersMax}`,
      );
  return variables;
}

/** An expression of the object that has a list's changed images and nothing else: the rest is merged by name and stays. */
export function changedImages({ field }: Pick<ImageList, 'field'>): string {
  const image =
    field === 'volumes' ? 'Object.spec.volumes.image{reference: string(t[2])}' : 'string(t[2])';
  return `variables.table.filter(t, t[0] == '${field}').map(t, Object.spec.${field}{name: string(t[1]), image: ${image}})`;
}

function imagesOf({ field, expression }: ImageList): string {
  const image = field === 'volumes' ? 'c.?image.?reference' : 'c.?image';
  return `${expression}.map(c, ['${field}', string(c.?name.orValue('')), string(${image}.orValue(''))])`;
}

function aliasesOf(rows: readonly MappingRow[]): ReadonlyMap<string, string> {
  return new Map(
    rows.flatMap(({ host: at, aliases }) => aliases.map((alias) => [alias, quoted(at)] as const)),
  );
}

/** By host: what a path begins with, or is as a whole, and what stands in place of that; the longest first. */
function linesOf({ rows, registryHost }: ImageMapping): string {
  const byHost = Map.groupBy(rows, ({ host: at }) => at);
  const lines = [...byHost].map(([at, own]) => {
    const cells = own.map((row) => {
      const begin = row.exact || row.path === '' ? row.path : `${row.path}/`;
      const [to, toOne] = [row.to, row.toOne].map((name) => replacement(registryHost, name, row));
      return `[${[begin, to ?? '', toOne ?? '', row.exact ? 'whole' : ''].map(quoted).join(', ')}]`;
    });
    return [at, `[${cells.join(', ')}]`] as const;
  });
  return mapOf(new Map(lines), "[['', '', '', '']]");
}

/** Empty where no rule leads there. */
function replacement(
  registryHost: string,
  name: string | undefined,
  { exact }: MappingRow,
): string {
  if (name === undefined) return '';
  if (exact) return `${registryHost}/${name}`;
  return name === '' ? `${registryHost}/` : `${registryHost}/${name}/`;
}

/** A map of texts to expressions; `like` is such an expression, from which one without entries has its type. No host is empty. */
function mapOf(entries: ReadonlyMap<string, string>, like: string): string {
  const all = entries.size === 0 ? [['', like] as const] : [...entries];
  return `{${all.map(([key, value]) => `${quoted(key)}: ${value}`).join(',\n  ')}}`;
}

/** Hosts and repository names hold no character that would need an escape. */
function quoted(text: string): string {
  return `'${text}'`;
}
