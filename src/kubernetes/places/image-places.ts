import { isObject } from '../../domain/json.ts';
import { deliveryFields, imageAnnotations } from './custom-resources.ts';
import type { FieldPattern, Found } from './field-pattern.ts';
import { findFields, parsePattern, textOf } from './field-pattern.ts';
import type { FieldPath, ImagePlace, ReviewReason } from './image-place.ts';
import { kustomizeImagePlaces } from './kustomize-places.ts';
import { operatorFields } from './operator-resources.ts';
import type { SpecialFields } from './special-fields.ts';
import { imagesInText, isNamedImage, isWholeImage } from './text-images.ts';
import type { Parameter } from './values-places.ts';
import { parameterPlaces, valuesPlaces } from './values-places.ts';

/** Deeper than any kind nests its pods. */
const depthMax = 64;
const listDepthMax = 8;
const containerLists: ReadonlySet<string> = new Set([
  'containers',
  'initContainers',
  'ephemeralContainers',
]);
const annotationKeys: ReadonlySet<string> = new Set(imageAnnotations.map(({ key }) => key));

type Holds = 'image' | 'prefix' | 'artifact' | 'values' | 'valuesText' | 'parameters' | 'kustomize';

/** A row of the table with its paths parsed. */
interface Row {
  readonly group: string | undefined;
  readonly fields: readonly {
    readonly pattern: FieldPattern;
    readonly holds: Holds;
  }[];
  readonly note: string | undefined;
}

const rowsByKind: ReadonlyMap<string, readonly Row[]> = indexRows([
  ...deliveryFields,
  ...operatorFields,
]);

/**
 * The places of one parsed object that name images: of a Kubernetes object by its kind and by what it nests, of a `List` those of
 * its items. Pure, and each object that is reached twice is read once. What is no object has none.
 */
export function imagePlaces(object: unknown): readonly ImagePlace[] {
  const found: ImagePlace[] = [];
  const seen = new WeakSet();
  eachObject(object, [], 0, (each, kind, apiVersion, at) => {
    findInObject(each, kind, apiVersion, { found, path: [...at], seen, taken: new Set() });
  });
  return found;
}

/** Texts of an object that hold values of a chart as YAML. What they name is no place of the object itself. */
export function valuesTexts(object: unknown): readonly FieldPath[] {
  const found: FieldPath[] = [];
  eachObject(object, [], 0, (each, kind, apiVersion, at) => {
    for (const { holds, found: text } of specialOf(each, kind, apiVersion))
      if (holds === 'valuesText' && textOf(text.value) !== undefined)
        found.push([...at, ...text.path]);
  });
  return found;
}

type Visit = (
  object: Readonly<Record<string, unknown>>,
  kind: string,
  apiVersion: string,
  at: FieldPath,
) => void;

/** The object, or those that it lists. */
function eachObject(object: unknown, at: FieldPath, depth: number, visit: Visit): void {
  if (!isObject(object) || depth > listDepthMax) return;
  const kind = textOf(object['kind']) ?? '';
  const apiVersion = textOf(object['apiVersion']) ?? '';
  const { items } = object;
  if (!Array.isArray(items) || (kind !== '' && !kind.endsWith('List')))
    return visit(object, kind, apiVersion, at);
  for (const [index, item] of (items as readonly unknown[]).entries()) {
    const named = withKindOfList(item, kind, apiVersion);
    eachObject(named, [...at, 'items', index], depth + 1, visit);
  }
}

function findInObject(
  object: Readonly<Record<string, unknown>>,
  kind: string,
  apiVersion: string,
  walk: Walk,
): void {
  // Their schemas have keys named like those of pods, and secrets are nobody's to read.
  if (kind === 'CustomResourceDefinition' || kind === 'Secret') return;
  findSpecial(object, kind, apiVersion, walk);
  if (kind === 'ConfigMap') findInConfigMap(object, walk);
  else if (kind === 'Kustomization' && apiVersion.startsWith('kustomize.config.k8s.io'))
    walk.found.push(...kustomizeImagePlaces(object['images'], [...walk.path, 'images']));
  else findNested(object, walk, 0);
}

/** The API's lists name the kind of their items once. */
function withKindOfList(item: unknown, listKind: string, apiVersion: string): unknown {
  if (!isObject(item) || typeof item['kind'] === 'string' || listKind === 'List') return item;
  return { kind: listKind.slice(0, -'List'.length), apiVersion, ...item };
}

interface Walk {
  readonly found: ImagePlace[];
  /** Where the walk is. */
  readonly path: (string | number)[];
  readonly seen: WeakSet<object>;
  /** Paths that a row of the table has found already. */
  readonly taken: Set<string>;
}

/** What the table knows of the kind, with the paths from the object. */
function* specialOf(
  object: Readonly<Record<string, unknown>>,
  kind: string,
  apiVersion: string,
): Iterable<{ readonly holds: Holds; readonly found: Found; readonly note: string | undefined }> {
  const group = apiVersion.slice(0, Math.max(0, apiVersion.indexOf('/')));
  for (const { group: wanted, fields, note } of rowsByKind.get(kind) ?? [])
    if (wanted === undefined || group === wanted || group.endsWith(`.${wanted}`))
      for (const { pattern, holds } of fields)
        for (const found of findFields(object, pattern)) yield { holds, found, note };
}

function findSpecial(
  object: Readonly<Record<string, unknown>>,
  kind: string,
  apiVersion: string,
  { found, path: at, taken }: Walk,
): void {
  for (const each of specialOf(object, kind, apiVersion)) {
    const { value } = each.found;
    const path = [...at, ...each.found.path];
    taken.add(path.join('\0'));
    switch (each.holds) {
      case 'values':
        found.push(...valuesPlaces(value, path));
        break;
      case 'kustomize':
        found.push(...kustomizeImagePlaces(value, path));
        break;
      case 'parameters':
        found.push(...parameterPlaces(parametersOf(value, path)));
        break;
      case 'valuesText':
        break;
      case 'image':
      case 'prefix':
      case 'artifact': {
        const image = textOf(value);
        if (image === undefined) break;
        const form = each.holds === 'image' ? {} : { form: each.holds };
        const note = each.note === undefined ? {} : { note: each.note };
        found.push({ image, path, certainty: 'image', ...form, ...note });
      }
    }
  }
}

function parametersOf(list: unknown, at: FieldPath): readonly Parameter[] {
  if (!Array.isArray(list)) return [];
  return (list as readonly unknown[]).flatMap((item, index) => {
    const name = isObject(item) ? textOf(item['name']) : undefined;
    if (!isObject(item) || name === undefined) return [];
    return [{ name, value: item['value'], path: [...at, index, 'value'] }];
  });
}

/** The generic rule: lists of containers, volumes of images and annotations, wherever they stand. */
function findNested(node: unknown, walk: Walk, depth: number): void {
  if (typeof node !== 'object' || node === null || depth > depthMax || walk.seen.has(node)) return;
  walk.seen.add(node);
  const { path } = walk;
  if (Array.isArray(node)) {
    for (let index = 0; index < node.length; index += 1) {
      path.push(index);
      findNested(node[index], walk, depth + 1);
      path.pop();
    }
    return;
  }
  for (const [key, value] of Object.entries(node as Readonly<Record<string, unknown>>)) {
    if (typeof value !== 'object' || value === null) continue;
    if (key === 'status' && depth === 0) continue;
    path.push(key);
    if (walk.taken.size > 0 && walk.taken.has(path.join('\0'))) {
      path.pop();
      continue;
    }
    if (key === 'metadata') findInMetadata(value, walk);
    else if (containerLists.has(key) && Array.isArray(value)) {
      if (!walk.seen.has(value)) findContainers(value, walk);
      walk.seen.add(value);
    } else {
      if (key === 'volumes' && Array.isArray(value) && !walk.seen.has(value))
        findVolumes(value, walk);
      findNested(value, walk, depth + 1);
    }
    path.pop();
  }
}

function findContainers(containers: readonly unknown[], walk: Walk): void {
  for (const [index, container] of containers.entries()) {
    if (!isObject(container)) continue;
    const image = textOf(container['image']);
    const at = [...walk.path, index];
    if (image !== undefined && !walk.taken.has([...at, 'image'].join('\0')))
      walk.found.push({ image, path: [...at, 'image'], certainty: 'image' });
    findInEnvironment(container['env'], [...at, 'env'], walk.found);
    findInArguments(container['command'], [...at, 'command'], walk.found);
    findInArguments(container['args'], [...at, 'args'], walk.found);
  }
}

function findVolumes(volumes: readonly unknown[], walk: Walk): void {
  for (const [index, volume] of volumes.entries()) {
    const source = isObject(volume) ? volume['image'] : undefined;
    const image = isObject(source) ? textOf(source['reference']) : undefined;
    if (image === undefined) continue;
    const path = [...walk.path, index, 'image', 'reference'];
    walk.found.push({ image, path, certainty: 'image' });
  }
}

function findInMetadata(metadata: unknown, walk: Walk): void {
  const annotations = isObject(metadata) ? metadata['annotations'] : undefined;
  if (!isObject(annotations)) return;
  for (const [key, value] of Object.entries(annotations)) {
    const image = annotationKeys.has(key) ? textOf(value) : undefined;
    const path = [...walk.path, 'annotations', key];
    if (image !== undefined && !walk.taken.has(path.join('\0')))
      walk.found.push({ image, path, certainty: 'image' });
  }
}

function findInEnvironment(env: unknown, at: FieldPath, found: ImagePlace[]): void {
  if (!Array.isArray(env)) return;
  for (const [index, variable] of (env as readonly unknown[]).entries()) {
    if (!isObject(variable)) continue;
    const text = textOf(variable['value']);
    if (text === undefined) continue;
    const name = textOf(variable['name']) ?? '';
    review(text, isNamedImage(name), 'environment', [...at, index, 'value'], found);
  }
}

function findInArguments(list: unknown, at: FieldPath, found: ImagePlace[]): void {
  if (!Array.isArray(list)) return;
  for (const [index, argument] of (list as readonly unknown[]).entries()) {
    const text = textOf(argument);
    if (text === undefined) continue;
    const equals = text.startsWith('-') ? text.indexOf('=') : -1;
    const isNamed = equals > 0 && isNamedImage(text.slice(0, equals));
    const path = [...at, index];
    if (isNamed && isWholeImage(text.slice(equals + 1)))
      found.push({ image: text.slice(equals + 1), path, certainty: 'review', review: 'argument' });
    else review(text, false, 'argument', path, found);
  }
}

function findInConfigMap(object: Readonly<Record<string, unknown>>, walk: Walk): void {
  const data = object['data'];
  if (!isObject(data)) return;
  for (const [key, value] of Object.entries(data)) {
    const text = textOf(value);
    if (text !== undefined)
      review(text, isNamedImage(key), 'text', [...walk.path, 'data', key], walk.found);
  }
}

/** Images of a text that is none itself for sure: all of it where its name says so, else those with a host. */
function review(
  text: string,
  isNamed: boolean,
  reason: ReviewReason,
  path: FieldPath,
  found: ImagePlace[],
): void {
  const images =
    isNamed && isWholeImage(text) ? [text] : imagesInText(text).map((each) => each.image);
  for (const image of images) found.push({ image, path, certainty: 'review', review: reason });
}

function indexRows(table: readonly SpecialFields[]): ReadonlyMap<string, readonly Row[]> {
  const index = new Map<string, Row[]>();
  for (const { group, kinds, note, ...fields } of table) {
    const row: Row = {
      group,
      note,
      fields: [
        ...patterns(fields.images, 'image'),
        ...patterns(fields.prefixes, 'prefix'),
        ...patterns(fields.artifacts, 'artifact'),
        ...patterns(fields.values, 'values'),
        ...patterns(fields.valuesTexts, 'valuesText'),
        ...patterns(fields.parameters, 'parameters'),
        ...patterns(fields.kustomizeImages, 'kustomize'),
      ],
    };
    for (const kind of kinds) index.set(kind, [...(index.get(kind) ?? []), row]);
  }
  return index;
}

function patterns(texts: readonly string[] = [], holds: Holds): Row['fields'] {
  return texts.map((text) => ({ pattern: parsePattern(text), holds }));
}
