import type { ImageMapping, MappingRow } from '../../domain/image-rewrite.ts';
import { repositoryNameCharactersMax } from '../../domain/names/repository-name.ts';
import type { ImageList, PolicyVariable } from './reference-expressions.ts';
import { mapOf, quoted, readVariables } from './reference-expressions.ts';

/** The longest expression that the API server parses, in characters. */
const expressionCharactersMax = 100_000;

/** The mapping has more lines than an expression of a policy can hold. */
export class MappingTooLarge extends Error {
  override readonly name = 'MappingTooLarge';
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
    ...readVariables(lists, aliasesOf(mapping.rows)),
    { name: 'lines', expression: linesOf(mapping) },
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

function aliasesOf(rows: readonly MappingRow[]): ReadonlyMap<string, string> {
  return new Map(
    rows.flatMap(({ host: at, aliases }) => aliases.map((alias) => [alias, at] as const)),
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
