import { deliveryFields, imageAnnotations } from './custom-resources.ts';
import type { FieldPattern } from './field-pattern.ts';
import { findFields, isMap, parsePattern, textOf } from './field-pattern.ts';
import type { FieldPath, ImagePlace, ReviewReason } from './image-place.ts';
import { kustomizeImagePlaces } from './kustomize-places.ts';
import { operatorFields } from './operator-resources.ts';
import type { SpecialFields } from './special-fields.ts';
import { imagesInText, isNamedImage, isWholeImage } from './text-images.ts';
import { valuesPlaces } from './values-places.ts';

/** Deeper than any kind nests its pods. */
const depthMax = 64;
const containerLists: ReadonlySet<string> = new Set([
  'containers',
  'initContainers',
  'ephemeralContainers',
]);
const annotationKeys: ReadonlySet<string> = new Set(imageAnnotations.map(({ key }) => key));

/** A row of the table with its paths parsed. */
interface Row {
  readonly group: string | undefined;
  readonly fields: readonly {
    readonly pattern: FieldPattern;
    readonly holds: 'image' | 'prefix' | 'artifact' | 'values' | 'kustomize';
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
  findInObject(object, [], found, 0);
  return found;
}

function findInObject(object: unknown, at: FieldPath, found: ImagePlace[], depth: number): void {
  if (!isMap(object) || depth > depthMax) return;
  const kind = textOf(object['kind']) ?? '';
  const apiVersion = textOf(object['apiVersion']) ?? '';
  if (Array.isArray(object['items']) && (kind.endsWith('List') || kind === '')) {
    for (const [index, item] of object['items'].entries())
      findInObject(
        withKindOfList(item, kind, apiVersion),
        [...at, 'items', index],
        found,
        depth + 1,
      );
    return;
  }
  // Their schemas have keys named like those of pods, and secrets are nobody's to read.
  if (kind === 'CustomResourceDefinition' || kind === 'Secret') return;
  const walk: Walk = { found, path: [...at], seen: new WeakSet(), taken: new Set() };
  findSpecial(object, kind, apiVersion, walk);
  if (kind === 'ConfigMap') findInConfigMap(object, walk);
  else if (kind === 'Kustomization' && apiVersion.startsWith('kustomize.config.k8s.io'))
    found.push(...kustomizeImagePlaces(object['images'], [...at, 'images']));
  else findNested(object, walk, depth);
}

/** The API's lists name the kind of their items once. */
function withKindOfList(item: unknown, listKind: string, apiVersion: string): unknown {
  if (!isMap(item) || typeof item['kind'] === 'string' || listKind === 'List') return item;
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

/** What the table knows of the kind. */
function findSpecial(
  object: Readonly<Record<string, unknown>>,
  kind: string,
  apiVersion: string,
  walk: Walk,
): void {
  const group = apiVersion.slice(0, Math.max(0, apiVersion.indexOf('/')));
  for (const row of rowsByKind.get(kind) ?? []) {
    if (row.group !== undefined && group !== row.group && !group.endsWith(`.${row.group}`))
      continue;
    const note = row.note === undefined ? {} : { note: row.note };
    for (const { pattern, holds } of row.fields)
      for (const { value, path: below } of findFields(object, pattern)) {
        const path = [...walk.path, ...below];
        walk.taken.add(path.join('\0'));
        if (holds === 'values') walk.found.push(...valuesPlaces(value, path));
        else if (holds === 'kustomize') walk.found.push(...kustomizeImagePlaces(value, path));
        else {
          const image = textOf(value);
          if (image === undefined) continue;
          const form = holds === 'image' ? {} : { form: holds };
          walk.found.push({ image, path, certainty: 'image', ...form, ...note });
        }
      }
  }
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
    else if (containerLists.has(key) && Array.isArray(value)) findContainers(value, walk);
    else {
      if (key === 'volumes' && Array.isArray(value)) findVolumes(value, walk);
      findNested(value, walk, depth + 1);
    }
    path.pop();
  }
}

function findContainers(containers: readonly unknown[], walk: Walk): void {
  for (const [index, container] of containers.entries()) {
    if (!isMap(container)) continue;
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
    const source = isMap(volume) ? volume['image'] : undefined;
    const image = isMap(source) ? textOf(source['reference']) : undefined;
    if (image === undefined) continue;
    const path = [...walk.path, index, 'image', 'reference'];
    walk.found.push({ image, path, certainty: 'image' });
  }
}

function findInMetadata(metadata: unknown, walk: Walk): void {
  const annotations = isMap(metadata) ? metadata['annotations'] : undefined;
  if (!isMap(annotations)) return;
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
    if (!isMap(variable)) continue;
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
  if (!isMap(data)) return;
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
        ...patterns(fields.kustomizeImages, 'kustomize'),
      ],
    };
    for (const kind of kinds) index.set(kind, [...(index.get(kind) ?? []), row]);
  }
  return index;
}

function patterns(
  texts: readonly string[] = [],
  holds: Row['fields'][number]['holds'],
): Row['fields'] {
  return texts.map((text) => ({ pattern: parsePattern(text), holds }));
}
