import type { Digest } from '../names/digest.ts';
import { parseDigest } from '../names/digest.ts';
import { RegistryError } from '../errors.ts';
import { isObject, own } from '../json.ts';
import type { JsonObject } from '../json.ts';
import { findJsonProblem } from '../json-structure.ts';
import type { Manifest } from './manifest.ts';
import { manifestBytesMax } from './manifest.ts';
import { parseManifest } from './manifest-parser.ts';
import { mediaTypes } from './media-type.ts';

/** Deeper than any manifest that means something. */
const depthMax = 100;
const keyCharactersShown = 80;

/** Content that a descriptor carries itself; to be compared with the digest and the size that it claims. */
export interface EmbeddedContent {
  /** `layers[2]`. */
  readonly where: string;
  readonly digest: Digest;
  readonly size: number;
  readonly base64: string;
}

export interface PushedManifest {
  readonly manifest: Manifest;
  readonly embedded: readonly EmbeddedContent[];
}

/** Fields that some clients read in any spelling of their letters, so that `Layers` beside `layers` is twice the same. */
const knownFields: ReadonlySet<string> = new Set([
  'schemaversion',
  'mediatype',
  'artifacttype',
  'config',
  'layers',
  'blobs',
  'manifests',
  'subject',
  'annotations',
  'digest',
  'size',
  'urls',
  'data',
  'platform',
  'fslayers',
]);

const schema1: ReadonlySet<string> = new Set([
  mediaTypes.dockerSchema1,
  mediaTypes.dockerSchema1Signed,
]);

const supported = [
  mediaTypes.ociManifest,
  mediaTypes.ociIndex,
  mediaTypes.dockerManifest,
  mediaTypes.dockerList,
  mediaTypes.ociArtifact,
];

/**
 * Reads a manifest that a client pushes: stricter than what is taken from upstreams, since here somebody can still mend it.
 * Throws `requestTooLarge`, or `manifestInvalid` with the field and the fix.
 */
export function parsePushedManifest(
  bytes: Uint8Array,
  contentType: string | undefined,
): PushedManifest {
  if (bytes.byteLength > manifestBytesMax)
    throw new RegistryError(
      'requestTooLarge',
      `a manifest has at most ${manifestBytesMax} bytes, not ${bytes.byteLength}`,
    );
  const body = bodyOf(bytes);
  const manifest = read(bytes, contentType);
  requireOneType(body, contentType);
  if (schema1.has(manifest.mediaType))
    throw invalid('Docker schema 1 manifests are not taken', {
      field: 'mediaType',
      value: manifest.mediaType,
      hint: 'push with a client of this decade, or convert: skopeo copy --format v2s2',
    });
  if (manifest.kind === 'opaque')
    throw invalid('not a manifest of a known type', {
      field: 'mediaType',
      value: manifest.mediaType,
      hint: `one of ${supported.join(', ')}`,
    });
  requireSchemaVersion(body, manifest);
  requireAnnotations(body, 'annotations');
  return { manifest, embedded: checkDescriptors(body, manifest) };
}

function bodyOf(bytes: Uint8Array): JsonObject {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalid('the manifest is not UTF-8');
  }
  const sameKey = (key: string): string => {
    const folded = key.toLowerCase();
    return knownFields.has(folded) ? folded : key;
  };
  const problem = findJsonProblem(text, depthMax, { sameKey });
  if (problem?.kind === 'tooDeep') throw invalid(`nested deeper than ${depthMax} levels`);
  if (problem !== undefined) {
    const field = problem.what.slice(0, keyCharactersShown);
    throw invalid(`the key ${JSON.stringify(field)} stands twice in one object`, { field });
  }
  try {
    const body: unknown = JSON.parse(text);
    if (isObject(body)) return body;
  } catch {
    throw invalid('the manifest is not JSON');
  }
  throw invalid('the manifest is not a JSON object');
}

/** What no client could use of an upstream's is as useless when pushed. */
function read(bytes: Uint8Array, contentType: string | undefined): Manifest {
  try {
    return parseManifest(bytes, contentType);
  } catch (error) {
    if (!(error instanceof RegistryError) || error.code !== 'upstreamInvalid') throw error;
    throw new RegistryError('manifestInvalid', error.message, {
      ...(error.detail === undefined ? {} : { detail: error.detail }),
      cause: error,
    });
  }
}

function requireOneType(body: JsonObject, contentType: string | undefined): void {
  const said = own(body, 'mediaType');
  const sent = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  if (typeof said !== 'string' || said === '' || sent === undefined || sent === '') return;
  if (said.toLowerCase() === sent) return;
  throw invalid('the manifest and its Content-Type name different media types', {
    field: 'mediaType',
    value: said,
    contentType: sent.slice(0, 255),
    hint: 'send the manifest’s mediaType as Content-Type',
  });
}

function requireSchemaVersion(body: JsonObject, { mediaType }: Manifest): void {
  const version = own(body, 'schemaVersion');
  if (version === 2 || (version === undefined && mediaType === mediaTypes.ociArtifact)) return;
  throw invalid('schemaVersion must be 2', { field: 'schemaVersion', value: shown(version) });
}

function checkDescriptors(body: JsonObject, manifest: Manifest): EmbeddedContent[] {
  const embedded: EmbeddedContent[] = [];
  const needsConfig =
    manifest.mediaType === mediaTypes.ociManifest ||
    manifest.mediaType === mediaTypes.dockerManifest;
  if (needsConfig && manifest.config === undefined)
    throw invalid('an image manifest has a config', {
      field: 'config',
      hint: 'artifacts use the empty descriptor: application/vnd.oci.empty.v1+json',
    });
  const content = manifest.kind === 'index' ? ['manifests'] : ['config', 'layers', 'blobs'];
  for (const field of [...content, 'subject']) {
    const value = own(body, field);
    const items: readonly unknown[] = Array.isArray(value) ? value : [value];
    for (const [index, item] of items.entries()) {
      if (!isObject(item)) continue;
      const where = Array.isArray(value) ? `${field}[${index}]` : field;
      const found = checkDescriptor(item, where);
      if (found !== undefined) embedded.push(found);
    }
  }
  return embedded;
}

/** Digest and size were read by `parseManifest`; what else a descriptor must and may have is checked here. */
function checkDescriptor(item: JsonObject, where: string): EmbeddedContent | undefined {
  const mediaType = own(item, 'mediaType');
  if (typeof mediaType !== 'string' || !/^[!-~]+\/[!-~ ]+$/.test(mediaType))
    throw invalid(`${where}.mediaType is no media type`, {
      field: `${where}.mediaType`,
      value: shown(mediaType),
    });
  requireAnnotations(item, `${where}.annotations`);
  const data = own(item, 'data');
  if (data === undefined || data === null) return undefined;
  const field = `${where}.data`;
  if (typeof data !== 'string') throw invalid(`${field} is not base64`, { field });
  const digestText = own(item, 'digest');
  const digest = typeof digestText === 'string' ? parseDigest(digestText) : undefined;
  // A list that `parseManifest` did not read, as `blobs` of an image, says nothing that could be checked.
  if (digest === undefined) return undefined;
  return { where, digest, size: Number(own(item, 'size')), base64: data };
}

/** A map of text to text (OCI image-spec annotations.md). */
function requireAnnotations(object: JsonObject, field: string): void {
  const value = own(object, 'annotations');
  if (value === undefined || value === null) return;
  if (isObject(value) && Object.values(value).every((text) => typeof text === 'string')) return;
  throw invalid(`${field} is no map of text to text`, { field });
}

function shown(value: unknown): string | number | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'number') return value;
  return typeof value === 'string' ? value.slice(0, 255) : typeof value;
}

function invalid(message: string, detail?: Readonly<Record<string, unknown>>): RegistryError {
  return new RegistryError('manifestInvalid', message, {
    detail: { message, ...detail },
  });
}
