import { gunzipSync } from 'node:zlib';
import { isObject } from '../../domain/json.ts';
import { parseImageName } from '../../domain/names/image-name.ts';
import { fieldText } from '../places/image-place.ts';
import type { ImagePlace } from '../places/image-place.ts';
import { imagePlaces } from '../places/image-places.ts';
import { nameOfImage } from '../places/split-image.ts';
import { valuesPlaces } from '../places/values-places.ts';
import { renderedDocuments } from '../text/rendered-documents.ts';
import { readDocuments } from '../text/yaml-documents.ts';
import { YamlProblem } from '../text/yaml-tree.ts';
import type { ImageUse } from './detection.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What Helm keeps of a release, as far as it is read here. */
export interface HelmRelease {
  readonly namespace: string;
  readonly name: string;
  /** `redis-18.1.0` */
  readonly chart: string;
  /** Those of the chart with those of the user over them. */
  readonly values: Fields;
  /** Of the hooks too. */
  readonly manifests: readonly string[];
}

/** Unpacked; a Secret holds 1 MiB at most. */
const releaseBytesMax = 64 * 1024 * 1024;
const depthMax = 64;

/** The release in a Secret `sh.helm.release.v1.…`: JSON, packed by gzip, in base64, in a Secret's own base64. Throws where it is none. */
export function readHelmRelease(secret: Fields): HelmRelease {
  const data = isObject(secret['data']) ? secret['data']['release'] : undefined;
  if (typeof data !== 'string') throw new Error('it has no release');
  const packed = Buffer.from(Buffer.from(data, 'base64').toString('latin1'), 'base64');
  // What Helm 2 moved over is not packed.
  const isPacked = packed[0] === 0x1f && packed[1] === 0x8b;
  const json = isPacked ? gunzipSync(packed, { maxOutputLength: releaseBytesMax }) : packed;
  const release: unknown = JSON.parse(json.toString('utf8'));
  if (!isObject(release)) throw new Error('it has no release');
  const chart = isObject(release['chart']) ? release['chart'] : {};
  const metadata = isObject(chart['metadata']) ? chart['metadata'] : {};
  const hooks = Array.isArray(release['hooks']) ? release['hooks'].filter(isObject) : [];
  return {
    namespace: text(release['namespace']),
    name: text(release['name']),
    chart: `${text(metadata['name'])}-${text(metadata['version'])}`,
    values: merged(mapOf(chart['values']), mapOf(release['config']), 0),
    manifests: [release, ...hooks].map((each) => text(each['manifest'])).filter(Boolean),
  };
}

/** The images that a release deploys, each with the value of its chart that says it, or that none does. What runs of them is counted elsewhere. */
export function usesOfRelease(release: HelmRelease): readonly ImageUse[] {
  const { namespace, name, chart, values, manifests } = release;
  const found = valuesPlaces(values);
  const images = new Set(
    manifests
      .flatMap(documentsOf)
      .flatMap((document) => imagePlaces(document))
      .filter(({ certainty, form }) => certainty === 'image' && form === undefined)
      .map(({ image }) => image),
  );
  return [...images].map((image) => {
    const value = valueOf(image, found);
    const place = { kind: 'Helm release', namespace, name };
    return {
      image,
      certainty: 'image',
      count: 0,
      place:
        value === undefined
          ? { ...place, field: 'manifest', note: `no value of ${chart} names it` }
          : { ...place, field: `values ${fieldText(value.path)}`, note: noteOf(value, chart) },
    };
  });
}

/** What can't be read of it names nothing. */
function documentsOf(manifest: string): readonly unknown[] {
  return renderedDocuments(manifest).flatMap((document) => {
    try {
      return readDocuments(document).documents.map(({ value }) => value);
    } catch (error) {
      if (error instanceof YamlProblem) return [];
      throw error;
    }
  });
}

/** That with the same repository: with its registry, else without one where the chart puts one before it. */
function valueOf(image: string, places: readonly ImagePlace[]): ImagePlace | undefined {
  const name = parseImageName(image);
  if (name === undefined) return undefined;
  const same = places.find((place) => {
    const other = parseImageName(nameOfImage(place.image));
    return other?.host === name.host && other.repository === name.repository;
  });
  if (same !== undefined) return same;
  const plain = nameOfImage(image);
  return places.find(({ image: value, form }) => {
    const repository = nameOfImage(value);
    return form === undefined && repository !== '' && plain.endsWith(`/${repository}`);
  });
}

function noteOf({ parts }: ImagePlace, chart: string): string {
  if (parts === undefined) return `of ${chart}`;
  const keys = [parts.registry, parts.repository, parts.tag, parts.digest]
    .filter((path) => path !== undefined)
    .map(fieldText);
  return `of ${chart}: ${keys.join(', ')}`;
}

/** As Helm lays a user's values over those of the chart: maps by their keys, everything else whole; null takes a key away. */
function merged(chart: Fields, user: Fields, depth: number): Fields {
  const values: Record<string, unknown> = { ...chart };
  for (const [key, value] of Object.entries(user)) {
    const below = values[key];
    if (value === null) delete values[key];
    else if (isObject(value) && isObject(below) && depth < depthMax)
      values[key] = merged(below, value, depth + 1);
    else values[key] = value;
  }
  return values;
}

function mapOf(value: unknown): Fields {
  return isObject(value) ? value : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
