import { parseDigest } from '../names/digest.ts';
import { RegistryError } from '../errors.ts';
import { isObject, own } from '../json.ts';
import type { JsonObject } from '../json.ts';
import type { Descriptor, Manifest, Platform } from './manifest.ts';
import { manifestBytesMax } from './manifest.ts';
import { childKind, mediaTypes } from './media-type.ts';
import type { FailureReason } from '../upstream-failure.ts';

/** The most descriptors of one manifest; the largest known indexes have some hundreds. */
export const manifestChildrenMax = 10_000;

const mediaTypeCharactersMax = 255;
const urlCharactersMax = 8192;
const urlsMax = 100;
const platformCharactersMax = 255;

const kinds: Readonly<Record<string, Manifest['kind'] | undefined>> = {
  [mediaTypes.ociIndex]: 'index',
  [mediaTypes.dockerList]: 'index',
  [mediaTypes.ociManifest]: 'image',
  [mediaTypes.ociArtifact]: 'image',
  [mediaTypes.dockerManifest]: 'image',
  [mediaTypes.dockerSchema1]: 'opaque',
  [mediaTypes.dockerSchema1Signed]: 'opaque',
};

/** Types that say nothing of what the JSON means: a file server's, an old registry's for schema 1. */
const genericTypes: ReadonlySet<string> = new Set([
  'application/json',
  'application/octet-stream',
  'binary/octet-stream',
  'text/plain',
]);

/**
 * Reads what Breakwater needs of a manifest. The answered media type is the body's own, else the content type's, else what the
 * structure shows. Throws `upstreamInvalid`, with the cause in `detail`, for what no client could use.
 */
export function parseManifest(bytes: Uint8Array, contentType: string | undefined): Manifest {
  const body = parseBody(bytes, contentType);
  const mediaType = mediaTypeOf(body, contentType);
  const kind =
    (Object.hasOwn(kinds, mediaType) ? kinds[mediaType] : undefined) ?? kindByStructure(body);
  if (kind === 'opaque') return opaque(mediaType, body);
  refuseAmbiguous(body, kind);
  const children = kind === 'index' ? descriptors(body, 'manifests') : [];
  const isBlob = (child: Descriptor): boolean => childKind(child.mediaType) === 'blob';
  const config = kind === 'image' ? optionalDescriptor(body, 'config') : undefined;
  const layers =
    kind === 'image'
      ? descriptors(body, mediaType === mediaTypes.ociArtifact ? 'blobs' : 'layers')
      : children.filter(isBlob);
  return {
    mediaType,
    kind,
    manifests: children.filter((child) => !isBlob(child)),
    config,
    layers,
    subject: optionalDescriptor(body, 'subject'),
    artifactType: optionalMediaType(body, 'artifactType') ?? config?.mediaType,
    annotations: annotationsOf(body),
  };
}

function parseBody(bytes: Uint8Array, contentType: string | undefined): JsonObject {
  if (bytes.byteLength > manifestBytesMax) {
    throw invalid('tooLarge', `manifest of ${bytes.byteLength} bytes; ${manifestBytesMax} at most`);
  }
  const text = new TextDecoder().decode(bytes);
  if (essence(contentType) === 'text/html' || /^\s*</.test(text.slice(0, 256))) {
    throw invalid('html', 'an HTML page where a manifest was expected');
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw invalid('badJson', 'manifest is not JSON', error);
  }
  if (!isObject(body)) throw invalid('badJson', 'manifest is not a JSON object');
  if (own(body, 'schemaVersion') === undefined && Array.isArray(own(body, 'errors'))) {
    throw invalid('badJson', 'an error document where a manifest was expected');
  }
  return body;
}

function mediaTypeOf(body: JsonObject, contentType: string | undefined): string {
  const said = optionalMediaType(body, 'mediaType');
  if (said !== undefined) return said;
  const sent = essence(contentType);
  if (sent !== undefined && !genericTypes.has(sent)) return sent;
  const seen = mediaTypeByStructure(body);
  if (seen !== undefined) return seen;
  if (own(body, 'schemaVersion') !== undefined && sent !== undefined) return sent;
  throw invalid('badJson', 'JSON that is no manifest: no mediaType, no known structure');
}

function mediaTypeByStructure(body: JsonObject): string | undefined {
  if (own(body, 'schemaVersion') === 1) {
    return own(body, 'signatures') === undefined
      ? mediaTypes.dockerSchema1
      : mediaTypes.dockerSchema1Signed;
  }
  if (Array.isArray(own(body, 'manifests'))) return mediaTypes.ociIndex;
  if (isObject(own(body, 'config')) && Array.isArray(own(body, 'layers')))
    return mediaTypes.ociManifest;
  return undefined;
}

function kindByStructure(body: JsonObject): Manifest['kind'] {
  const seen = mediaTypeByStructure(body);
  if (seen === mediaTypes.ociIndex) return 'index';
  return seen === mediaTypes.ociManifest ? 'image' : 'opaque';
}

/** A document that is both an index and an image means different things to different clients (CVE-2021-41190). */
function refuseAmbiguous(body: JsonObject, kind: 'index' | 'image'): void {
  const foreign = kind === 'index' ? ['config', 'layers', 'fsLayers'] : ['manifests', 'fsLayers'];
  for (const field of foreign) {
    const value = own(body, field);
    const empty =
      value === undefined || value === null || (Array.isArray(value) && value.length === 0);
    if (!empty)
      throw invalid('badJson', `ambiguous manifest: an ${kind} with ${field}`, undefined, field);
  }
}

function opaque(mediaType: string, body: JsonObject): Manifest {
  return {
    mediaType,
    kind: 'opaque',
    manifests: [],
    config: undefined,
    layers: [],
    subject: undefined,
    artifactType: undefined,
    annotations: annotationsOf(body),
  };
}

function descriptors(body: JsonObject, field: string): Descriptor[] {
  const value = own(body, field);
  // Go writes an empty list as null.
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid('badJson', `${field} is not a list`, undefined, field);
  if (value.length > manifestChildrenMax) {
    throw invalid(
      'tooLarge',
      `${value.length} ${field}; ${manifestChildrenMax} at most`,
      undefined,
      field,
    );
  }
  return value.map((item: unknown, index) => descriptor(item, `${field}[${index}]`));
}

function optionalDescriptor(body: JsonObject, field: string): Descriptor | undefined {
  const value = own(body, field);
  return value === undefined || value === null ? undefined : descriptor(value, field);
}

function descriptor(value: unknown, where: string): Descriptor {
  if (!isObject(value)) throw invalid('badJson', `${where} is not a descriptor`, undefined, where);
  const digestText = own(value, 'digest');
  const digest = typeof digestText === 'string' ? parseDigest(digestText) : undefined;
  if (digest === undefined)
    throw invalid('badJson', `${where}.digest is no sha256 or sha512 digest`, undefined, where);
  const size = own(value, 'size');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw invalid('badJson', `${where}.size is no count of bytes`, undefined, where);
  }
  const artifactType = optionalMediaType(value, 'artifactType');
  const annotations = annotationsOf(value);
  const platform = platformOf(value);
  const urls = urlsOf(value, where);
  return {
    mediaType: optionalMediaType(value, 'mediaType') ?? 'application/octet-stream',
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(platform === undefined ? {} : { platform }),
    ...(urls === undefined ? {} : { urls }),
  };
}

/** Written into headers when served, so only printable ASCII is a media type. */
function optionalMediaType(object: JsonObject, field: string): string | undefined {
  const value = own(object, field);
  if (value === undefined || value === null || value === '') return undefined;
  if (
    typeof value !== 'string' ||
    value.length > mediaTypeCharactersMax ||
    !/^[!-~]+(?: [!-~]+)*$/.test(value)
  ) {
    throw invalid('badJson', `${field} is no media type`, undefined, field);
  }
  return value;
}

function platformOf(object: JsonObject): Platform | undefined {
  const value = own(object, 'platform');
  if (!isObject(value)) return undefined;
  const [os, architecture, variant] = ['os', 'architecture', 'variant'].map((field) => {
    const text = own(value, field);
    return typeof text === 'string' && text.length <= platformCharactersMax ? text : undefined;
  });
  if (os === undefined || architecture === undefined) return undefined;
  return { os, architecture, ...(variant === undefined || variant === '' ? {} : { variant }) };
}

function urlsOf(object: JsonObject, where: string): readonly string[] | undefined {
  const value = own(object, 'urls');
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const urls = value.filter(
    (url: unknown): url is string => typeof url === 'string' && url.length <= urlCharactersMax,
  );
  if (urls.length !== value.length || urls.length > urlsMax) {
    throw invalid(
      'badJson',
      `${where}.urls is no list of at most ${urlsMax} URLs`,
      undefined,
      where,
    );
  }
  return urls;
}

/** Strings alone count; `fromEntries` defines own properties, so a key of `__proto__` is only a key. */
function annotationsOf(object: JsonObject): Readonly<Record<string, string>> | undefined {
  const value = own(object, 'annotations');
  if (!isObject(value)) return undefined;
  return Object.fromEntries(
    Object.entries(value).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );
}

function essence(contentType: string | undefined): string | undefined {
  const text = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  const fits =
    text !== undefined && text.length <= mediaTypeCharactersMax && /^[!-~]+\/[!-~]+$/.test(text);
  return fits ? text : undefined;
}

function invalid(
  reason: FailureReason,
  message: string,
  cause?: unknown,
  field?: string,
): RegistryError {
  return new RegistryError('upstreamInvalid', message, {
    detail: { cause: reason, message, ...(field === undefined ? {} : { field }) },
    ...(cause === undefined ? {} : { cause }),
  });
}
