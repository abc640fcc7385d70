import type { Asker } from '../../access/access.ts';
import type { Admission, Place } from '../../access/admission/admission.ts';
import { AccessRefused } from '../../access/admission/admission.ts';
import { onceRead } from '../../coordination/call-attempt.ts';
import { eachAtOnce } from '../../coordination/each-at-once.ts';
import { RegistryError, repositoryUnknown } from '../../domain/errors.ts';
import type { Descriptor } from '../../domain/manifests/manifest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Tag } from '../../domain/names/tag.ts';
import { actions } from '../../domain/policy/access-action.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { ContentChanges, PushedManifest } from '../content-changes.ts';
import { keyOfRepository } from './held-images.ts';
import type { Places, RepositoryInput } from '../places.ts';
import type { Pulls, Waiting } from '../pulls.ts';

export interface LayerState {
  readonly digest: Digest;
  readonly available: boolean;
  /** Bytes, where they are known. */
  readonly size: number | undefined;
}

export interface NewImage extends RepositoryInput, PushedManifest {
  /** Of the bytes. */
  readonly digest: Digest;
  readonly tag: Tag | undefined;
}

/**
 * What ECR's clients ask of an image's parts, by pulls and pushes as registry clients make them. A repository that is not there, and
 * may not be made for the asker, is `nameUnknown`. Each throws `RegistryError`.
 */
export interface ImageContent {
  /** Upstream is asked for those that are not held. */
  layers(
    asker: Asker,
    input: RepositoryInput & { readonly digests: readonly Digest[] },
    waiting: Waiting,
  ): Promise<readonly LayerState[]>;
  referrers(
    asker: Asker,
    input: RepositoryInput & { readonly subject: Digest },
    waiting: Waiting,
  ): Promise<readonly Descriptor[]>;
  /** Pushes a manifest. Throws `conflict` where the very image is there under that tag, or without one. */
  put(asker: Asker, image: NewImage): Promise<{ readonly mediaType: string }>;
}

export interface ImageContentParts {
  readonly admission: Admission;
  readonly places: Places;
  readonly pulls: Pick<Pulls, 'blob' | 'referrers'>;
  readonly contentChanges: Pick<ContentChanges, 'putManifest'>;
  readonly metadata: Pick<Metadata, 'repositories' | 'manifests' | 'tags'>;
}

const atOnceMax = 4;

export function createImageContent(parts: ImageContentParts): ImageContent {
  const { admission, places, pulls, metadata } = parts;
  return {
    layers: async (asker, { digests, ...input }, waiting) => {
      const place = places.place(input, asker);
      await admission.require(asker, place, [actions.checkBlob]);
      const found = await eachAtOnce(digests, atOnceMax, (digest) =>
        layerState(parts, asker, place, digest, waiting),
      );
      if (!found.some(({ available }) => available)) await keyOfRepository(metadata, place);
      return found;
    },
    referrers: async (asker, { subject, ...input }, waiting) => {
      const place = places.place(input, asker);
      try {
        const { descriptors } = await pulls.referrers(asker, { ...place, subject }, waiting);
        if (descriptors.length === 0) await keyOfRepository(metadata, place);
        return descriptors;
      } catch (error) {
        throw asUnknown(error, place);
      }
    },
    put: (asker, image) => putImage(parts, asker, image),
  };
}

async function layerState(
  { pulls }: ImageContentParts,
  asker: Asker,
  place: Place,
  digest: Digest,
  waiting: Waiting,
): Promise<LayerState> {
  try {
    const { size } = await pulls.blob(asker, { ...place, digest, method: 'HEAD' }, waiting);
    return { digest, available: true, size };
  } catch (error) {
    const thrown = asUnknown(error, place);
    const isAbsent =
      thrown instanceof RegistryError &&
      !(thrown instanceof AccessRefused) &&
      (thrown.code === 'blobUnknown' ||
        thrown.code === 'manifestUnknown' ||
        thrown.code === 'nameUnknown' ||
        thrown.detail?.['upstream'] !== undefined);
    if (!isAbsent) throw thrown;
    return { digest, available: false, size: undefined };
  }
}

/** Who may not import is told that there is nothing, as by ECR. */
function asUnknown(error: unknown, { target }: Place): unknown {
  if (!(error instanceof RegistryError)) return error;
  if (error instanceof AccessRefused && error.reason !== 'notImported') return error;
  if (error.code === 'nameUnknown') return repositoryUnknown(target.repository, error.because);
  return error instanceof AccessRefused
    ? new RegistryError(error.code, error.message, { detail: { name: target.repository } })
    : error;
}

async function putImage(
  { places, contentChanges, metadata }: ImageContentParts,
  asker: Asker,
  { digest, tag, bytes, contentType, ...input }: NewImage,
): Promise<{ readonly mediaType: string }> {
  const place = places.place(input, asker);
  const key = { registry: place.registry, repository: place.target.repository };
  const tags = tag === undefined ? [] : [tag];
  return await contentChanges.putManifest(
    asker,
    place,
    { reference: { kind: 'digest', digest }, tags },
    async () => {
      const isThere = await onceRead('image', async () => {
        const held = await metadata.manifests.findManifestInfo(key, digest);
        if (held?.provenance === undefined) return false;
        return tag === undefined || (await metadata.tags.findTag(key, tag))?.digest === digest;
      });
      if (isThere) throw imageExists(place, digest, tag);
      return { bytes, contentType };
    },
  );
}

function imageExists({ target }: Place, digest: Digest, tag: Tag | undefined): RegistryError {
  const message = `${target.repository} holds this image already`;
  return new RegistryError('conflict', message, {
    kind: 'imageExists',
    detail: { name: target.repository, digest, ...(tag === undefined ? {} : { tag }) },
  });
}
