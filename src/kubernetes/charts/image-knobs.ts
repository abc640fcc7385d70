import { textOf } from '../places/field-pattern.ts';
import type { FieldPath } from '../places/image-place.ts';
import { nameOfImage, namesHost } from '../places/split-image.ts';
import { valuesPlaces } from '../places/values-places.ts';

/** A value of a chart that may say where an image is. */
export interface ImageKnob {
  readonly path: FieldPath;
  /** Without a tag or a digest; empty where nothing is said. */
  readonly name: string;
  /** Tag and digest, where the value is a whole image. */
  readonly ending: string;
  /** One value for all charts: `global.imageRegistry`. Where it is set, it may hide the others. */
  readonly global: boolean;
  /** A registry alone, or the beginning of a path. */
  readonly registry: boolean;
  /** What is put in its place to see which images follow; no image has it by chance. */
  readonly mark: string;
}

const depthMax = 64;
/** A chart of charts has some hundred. */
const knobsMax = 2000;
const registryKey = /(?:registry|hub|repositoryPrefix|registryPrefix)$/i;
const imageKey = /image|repo|registry|override|^hub$|^org$/i;

/**
 * The values that may move images: those that name images by their shape, registries that are empty too, and what stands as a
 * part in a rendered image under a key that speaks of one. More than needed: rendering says which of them count.
 */
export function findKnobs(
  values: Readonly<Record<string, unknown>>,
  images: readonly string[],
): readonly ImageKnob[] {
  const shaped = new Set<string>();
  for (const { path, parts, form, review } of valuesPlaces(values)) {
    if (form === 'artifact' || review === 'text') continue;
    for (const part of parts === undefined ? [path] : [parts.registry, parts.repository])
      if (part !== undefined) shaped.add(part.join('\0'));
  }
  const pieces = new Set(images.flatMap(piecesOf));
  const knobs = new Map<string, ImageKnob>();
  for (const { path, text } of leaves(values)) {
    if (knobs.size >= knobsMax) break;
    if (!isCandidate(path, text, { shaped, pieces })) continue;
    const hoisted = hoistGlobal(path);
    const key = hoisted.join('\0');
    if (!knobs.has(key)) knobs.set(key, knobAt(hoisted, text, knobs.size));
  }
  return [...knobs.values()];
}

interface Leaf {
  readonly path: FieldPath;
  readonly text: string;
}

/** Texts, and what is there without a value. */
function* leaves(value: unknown, path: FieldPath = []): Generator<Leaf> {
  if (path.length > depthMax) return;
  if (typeof value === 'string' || value === null)
    yield { path, text: textOf(value)?.trim() ?? '' };
  else if (typeof value === 'object')
    for (const [key, child] of Object.entries(value))
      yield* leaves(child, [...path, Array.isArray(value) ? Number(key) : key]);
}

function isCandidate(
  path: FieldPath,
  text: string,
  {
    shaped,
    pieces,
  }: { readonly shaped: ReadonlySet<string>; readonly pieces: ReadonlySet<string> },
): boolean {
  const words = path.filter((part) => typeof part === 'string');
  const key = words.at(-1) ?? '';
  if (text === '') return registryKey.test(key);
  if (!/^[\w.:/@[\]-]+$/.test(text) || text.includes('://')) return false;
  if (shaped.has(path.join('\0'))) return true;
  if (/^(?:tag|digest|sha|pullPolicy|version)$/i.test(key)) return false;
  const isNear = imageKey.test(key) || imageKey.test(words.at(-2) ?? '');
  return registryKey.test(key) || (isNear && pieces.has(nameOfImage(text)));
}

/** All runs of whole path parts of an image's name. */
function piecesOf(image: string): readonly string[] {
  const parts = nameOfImage(image).split('/').slice(0, 16);
  return parts.flatMap((_, from) =>
    parts.slice(from).map((__, more) => parts.slice(from, from + more + 1).join('/')),
  );
}

/** A subchart sees what the chart above it says globally. */
function hoistGlobal(path: FieldPath): FieldPath {
  const at = path.lastIndexOf('global');
  return at > 0 ? path.slice(at) : path;
}

function knobAt(path: FieldPath, text: string, index: number): ImageKnob {
  const key = String(path.findLast((part) => typeof part === 'string') ?? '');
  const registry = registryKey.test(key);
  const name = registry ? text.replace(/\/+$/, '') : nameOfImage(text);
  let mark = `bw${index}z`;
  if (registry) mark += '.invalid';
  else if (namesHost(text)) mark += `.invalid/bw${index}z`;
  return {
    path,
    name,
    ending: registry ? '' : text.slice(name.length),
    global: path[0] === 'global',
    registry,
    mark,
  };
}

/** A piece of an image: text that stays, or the number of the knob that stands there. */
export type ImagePiece = string | number;

/** An image that was rendered with marks, as its pieces; `undefined` where no knob is in it. */
export function piecesByMark(
  image: string,
  knobs: readonly ImageKnob[],
): readonly ImagePiece[] | undefined {
  const pieces: ImagePiece[] = [];
  let at = 0;
  for (const { index, 0: found, 1: number = '' } of image.matchAll(
    /bw(\d+)z(?:\.invalid(?:\/bw\1z)?)?/g,
  )) {
    const knob = knobs[Number(number)];
    // A registry's mark may stand before any path.
    const mark = knob !== undefined && found.startsWith(knob.mark) ? knob.mark : undefined;
    if (mark === undefined) return undefined;
    if (index > at) pieces.push(image.slice(at, index));
    pieces.push(Number(number));
    at = index + mark.length;
  }
  if (at === 0) return undefined;
  if (at < image.length) pieces.push(image.slice(at));
  return pieces;
}
