import { isObject } from '../../domain/json.ts';
import type { ChartFiles } from '../folder/chart-folder.ts';
import { textOf } from '../places/field-pattern.ts';
import { splitName } from '../places/split-image.ts';
import type { TextPlace } from '../text/read-text.ts';
import { linesOf } from '../text/scanned-text.ts';
import { readDocuments } from '../text/yaml-documents.ts';
import type { Renaming } from './renaming.ts';

/** What a chart says of a repository without a registry beside it: that it is a whole name, or what has to be done instead. */
export type ChartVerdict = 'whole' | { readonly reason: string };

/** Answers what becomes of a `repository` that stands alone in values of this chart, by the chart's own values and templates. */
export interface Chart {
  verdict(place: TextPlace, rename: Renaming): ChartVerdict;
}

/** Throws `YamlProblem` where its values can't be read. */
export function createChart({ values, templates }: ChartFiles): Chart {
  const trees = values.map(({ under, text }) => ({
    under,
    value: readDocuments(text).documents[0]?.value,
  }));
  const lookUp = (path: readonly string[]): unknown => {
    // What the chart says of a part of it goes before what that says of itself.
    for (const { under, value } of trees.toSorted((a, b) => a.under.length - b.under.length)) {
      if (under.some((key, index) => path[index] !== key)) continue;
      const found = valueAt(value, path.slice(under.length));
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const actions = templates.flatMap(({ path, text }) => actionsOf(path, text));

  return {
    verdict(place, rename) {
      const path = valuesPath(place.field);
      const registry = textOf(lookUp([...path, 'registry']));
      if (registry !== undefined) return besideRegistry(place, path, registry, rename);
      const all = globalRegistries.find((keys) => textOf(lookUp(keys)) !== undefined);
      if (all !== undefined)
        return { reason: `its chart puts ${all.join('.')} before it: change that` };
      return byTemplates(path, actions);
    },
  };
}

const globalRegistries: readonly (readonly string[])[] = [
  ['global', 'imageRegistry'],
  ['global', 'image', 'registry'],
  ['global', 'registry'],
  ['imageRegistry'],
];

/** `spec.values.a.image` of a HelmRelease and `spec.source.helm.values: a.image` are `a.image` of the chart. */
function valuesPath(field: string): readonly string[] {
  const inner = field.slice(field.lastIndexOf(': ') + 1).trim();
  return inner.replace(/^spec\.(?:values|source\.helm\.valuesObject)\./, '').split('.');
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const key of path) at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
  return at;
}

function besideRegistry(
  { split, image }: TextPlace,
  path: readonly string[],
  registry: string,
  rename: Renaming,
): ChartVerdict {
  const repository = split?.repository.value ?? image;
  const renamed = rename(`${registry}/${repository}`);
  const key = `${path.join('.')}.registry`;
  if (renamed.kind === 'unchanged')
    return {
      reason: `its chart puts ${registry} before it, and there it stays: ${renamed.reason}`,
    };
  const made = splitName({ registry, repository }, renamed.image);
  return made.repository === repository
    ? { reason: `its chart puts ${registry} before it: set ${key} to ${made.registry}` }
    : { reason: `its chart puts ${registry} before it: set ${key} so that it is ${renamed.image}` };
}

/** What stands between `{{` and `}}`, and the character before it. */
interface Action {
  readonly place: string;
  readonly before: string;
  readonly text: string;
}

function actionsOf(path: string, text: string): readonly Action[] {
  const found: Action[] = [];
  let number = 0;
  for (const { line } of linesOf(text)) {
    number += 1;
    for (const match of line.matchAll(/\{\{-?((?:[^}]|\}(?!\}))*)\}\}/g))
      found.push({
        place: `${path}:${number}`,
        before: line.slice(0, match.index).slice(-1),
        text: match[1] ?? '',
      });
  }
  return found;
}

/** A whole name only where every template that prints the repository prints nothing before it. */
function byTemplates(path: readonly string[], actions: readonly Action[]): ChartVerdict {
  const value = `.Values.${path.join('.')}.repository`;
  const uses = actions.filter(({ text }) => mentions(text, value));
  if (uses.length === 0)
    return {
      reason: 'no template of its chart prints it by its name: see what the chart puts before it',
    };
  const prefixed = uses.find(({ before, text }) => before === '/' || !isFirst(text, value));
  if (prefixed !== undefined)
    return { reason: `its chart puts something before it (${prefixed.place}): change that` };
  return 'whole';
}

function mentions(text: string, value: string): boolean {
  const at = text.indexOf(value);
  return at >= 0 && !/[\w.]/.test(text[at + value.length] ?? ' ');
}

/** Printed as it is, or as the first argument of a `printf` whose text begins with it. */
function isFirst(text: string, value: string): boolean {
  const bare = text.replace(/-$/, '').trim().replace(/^\$\./, '.');
  if (bare.startsWith(value))
    return /^(?:\s*\|\s*(?:quote|squote|toString|trim))*$/.test(bare.slice(value.length));
  const printf = /^printf\s+"%[sv](?!\/)[^"/]*"\s+(?:\(\s*)?(?:\$)?(\.Values\.[\w.]+)/.exec(bare);
  return printf?.[1] === value;
}
