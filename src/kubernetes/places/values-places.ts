import { isObject } from '../../domain/json.ts';
import { tagText, textOf } from './field-pattern.ts';
import type { FieldPath, ImageParts, ImagePlace } from './image-place.ts';
import { isPinned, joinImage, namesHost } from './split-image.ts';
import { imagesInText, isNamedImage, isWholeImage } from './text-images.ts';

const depthMax = 64;

/** Keys beside a `repository` that make it an image's, and no chart's or Git's. */
const besideRepository: readonly string[] = [
  'registry',
  'tag',
  'digest',
  'sha',
  'pullPolicy',
  'imagePullPolicy',
  'pullSecrets',
  'useDigest',
];

/** Keys that hold where all images of a chart are. */
const registryKeys: ReadonlySet<string> = new Set([
  'imageRegistry',
  'image_registry',
  'globalRegistry',
  'dockerRegistry',
  'defaultImageRegistry',
  'kube_image_repo',
  'gcr_image_repo',
  'docker_image_repo',
  'quay_image_repo',
  'github_image_repo',
]);

type Values = Readonly<Record<string, unknown>>;

/**
 * The places in a chart's values that name images, in every shape that charts use: whole references, `registry`, `repository`,
 * `tag` and `digest` apart, `hub` and `tag`, `image` beside `registry`, registries of all images. A repository without a
 * registry beside it is for review: its chart decides what stands before it.
 */
export function valuesPlaces(values: unknown, at: FieldPath = []): readonly ImagePlace[] {
  const found: ImagePlace[] = [];
  findInValues(values, { found, path: [...at], seen: new WeakSet() });
  return found;
}

interface Walk {
  readonly found: ImagePlace[];
  readonly path: (string | number)[];
  readonly seen: WeakSet<object>;
}

function findInValues(value: unknown, walk: Walk): void {
  const { path } = walk;
  if (typeof value === 'string') return findInLeaf(value, walk);
  if (typeof value !== 'object' || value === null || path.length > depthMax) return;
  if (walk.seen.has(value)) return;
  walk.seen.add(value);
  const done = isObject(value) ? findInMap(value, walk) : new Set<string>();
  for (const [key, child] of Object.entries(value)) {
    if (done.has(key)) continue;
    path.push(Array.isArray(value) ? Number(key) : key);
    findInValues(child, walk);
    path.pop();
  }
}

/** What the keys of one map say together; answers those that are done with. */
function findInMap(map: Values, walk: Walk): ReadonlySet<string> {
  const { path, found } = walk;
  const repositoryKey = repositoryKeyOf(map, path.at(-1));
  if (repositoryKey !== undefined) {
    const place = splitPlace(map, repositoryKey, path);
    found.push(place);
    // `override` replaces the whole reference.
    return new Set(['registry', repositoryKey, 'tag', 'digest', 'sha']);
  }
  const hub = textOf(map['hub']);
  if (hub !== undefined && ('tag' in map || path.at(-1) === 'global')) {
    found.push({ image: hub, path: [...path, 'hub'], certainty: 'image', form: 'prefix' });
    return new Set(['hub', 'tag', 'image']);
  }
  const registry = textOf(map['registry']);
  if (registry !== undefined && /^(?:image|global)s?$/.test(String(path.at(-1)))) {
    // `global.image.registry`, `image: {registry}` beside names that are elsewhere.
    found.push({
      image: registry,
      path: [...path, 'registry'],
      certainty: 'image',
      form: 'prefix',
    });
    return new Set(['registry', 'tag']);
  }
  return new Set();
}

/** `repository` of an image; `image` or `name` where `registry`, `tag` or `digest` stands beside it. */
function repositoryKeyOf(map: Values, name: string | number | undefined): string | undefined {
  const isImage = besideRepository.some((key) => key in map) || /image/i.test(String(name));
  if (isImage && isRepository(map['repository'])) return 'repository';
  const isApart =
    'registry' in map ||
    ['tag', 'digest', 'imageTag'].some((key) => tagText(map[key]) !== undefined);
  if (!isApart || 'hub' in map) return undefined;
  if (isRepository(map['image'])) return isPinned(String(map['image'])) ? undefined : 'image';
  return 'registry' in map && isRepository(map['name']) && 'tag' in map ? 'name' : undefined;
}

function isRepository(value: unknown): boolean {
  const text = textOf(value);
  return text !== undefined && /^[\w.:/@-]+$/.test(text) && !text.includes('://');
}

function splitPlace(map: Values, repositoryKey: string, path: FieldPath): ImagePlace {
  const tagKey = ['tag', 'imageTag'].find((key) => tagText(map[key]) !== undefined);
  const digestKey = ['digest', 'sha'].find((key) => textOf(map[key]) !== undefined);
  const hasRegistry = typeof map['registry'] === 'string';
  const parts: ImageParts = {
    ...(hasRegistry && { registry: [...path, 'registry'] }),
    repository: [...path, repositoryKey],
    ...(tagKey !== undefined && { tag: [...path, tagKey] }),
    ...(digestKey !== undefined && { digest: [...path, digestKey] }),
  };
  const repository = String(map[repositoryKey]);
  const registry = textOf(map['registry']);
  const image = joinImage({
    registry,
    repository,
    tag: tagKey === undefined ? undefined : tagText(map[tagKey]),
    digest: digestKey === undefined ? undefined : textOf(map[digestKey]),
  });
  const isComplete = registry !== undefined || namesHost(repository);
  if (isComplete) return { image, path: [...path], certainty: 'image', parts };
  return { image, path: [...path], certainty: 'review', review: 'registry unknown', parts };
}

function findInLeaf(text: string, { path, found }: Walk): void {
  if (textOf(text) === undefined) return;
  const key = path.findLast((part) => typeof part === 'string') ?? '';
  const at = [...path];
  if (registryKeys.has(key) || (key === 'registry' && path.at(-2) === 'global')) {
    if (/^[\w.:/-]+$/.test(text))
      found.push({ image: text, path: at, certainty: 'image', form: 'prefix' });
    return;
  }
  if (isImageKey(key, path) && isWholeImage(text)) {
    found.push({ image: text, path: at, certainty: 'image' });
    return;
  }
  if (key === 'image' && /^[a-z0-9][\w./-]*$/.test(text) && !/^(?:true|false)$/.test(text)) {
    found.push({ image: text, path: at, certainty: 'review', review: 'name alone' });
    return;
  }
  for (const { image } of imagesInText(text))
    found.push({ image, path: at, certainty: 'review', review: 'text' });
}

/** `image`, `sidecarImage`, `init_image`, `override` of an image, and each value of `images`. */
function isImageKey(key: string, path: FieldPath): boolean {
  const above = String(path.at(-2) ?? '');
  if (key === 'override') return /image/i.test(above);
  if (above === 'images' && path.length > 1) return true;
  return key === 'image' || (/(?:Image|_image|ImageName|-image)$/.test(key) && isNamedImage(key));
}

/** A value with its name as `--set` has it: `image.repository` and `nats`. */
export interface Parameter {
  readonly name: string;
  readonly value: unknown;
  readonly path: FieldPath;
}

/** Values given one by one, each under its dotted name (Argo CD's `parameters`, Terraform's `set`): their places by the paths of the values. */
export function parameterPlaces(parameters: readonly Parameter[]): readonly ImagePlace[] {
  const nested: Record<string, unknown> = {};
  const paths = new Map<string, FieldPath>();
  for (const { name, value, path } of parameters) {
    const keys = name.split(/(?<!\\)\./);
    let map = nested;
    for (const key of keys.slice(0, -1)) {
      const below = Object.hasOwn(map, key) ? map[key] : undefined;
      const next: Record<string, unknown> = isObject(below) ? below : Object.create(null);
      Object.defineProperty(map, key, { value: next, enumerable: true, configurable: true });
      map = next;
    }
    const last = keys.at(-1) ?? '';
    Object.defineProperty(map, last, { value, enumerable: true, configurable: true });
    paths.set(keys.join('\0'), path);
  }
  const real = (path: FieldPath): FieldPath | undefined => paths.get(path.join('\0'));
  return valuesPlaces(nested).flatMap((place) => {
    const { parts } = place;
    if (parts === undefined) {
      const path = real(place.path);
      return path === undefined ? [] : [{ ...place, path }];
    }
    const repository = real(parts.repository);
    if (repository === undefined) return [];
    const registry = parts.registry && real(parts.registry);
    const tag = parts.tag && real(parts.tag);
    const digest = parts.digest && real(parts.digest);
    const moved: ImageParts = {
      ...(registry && { registry }),
      repository,
      ...(tag && { tag }),
      ...(digest && { digest }),
    };
    return [{ ...place, path: repository, parts: moved }];
  });
}
