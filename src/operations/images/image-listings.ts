import type { Asker } from '../../access/access.ts';
import type { Admission } from '../../access/admission/admission.ts';
import { manifestCountsFor, tagCountsFor } from '../../cache/whose-bytes.ts';
import type { Listing } from '../../contract/admin-view.ts';
import { RegistryError } from '../../domain/errors.ts';
import { parseDigest } from '../../domain/names/digest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { RepositoryKey } from '../../domain/names/registry.ts';
import { parseTag } from '../../domain/names/tag.ts';
import { actions } from '../../domain/policy/access-action.ts';
import type { Action } from '../../domain/policy/access-action.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Counting, ListedImage, NamedImage, TagFilter } from '../../metadata/contract/rows.ts';
import { countingFor, keyOfRepository } from './held-images.ts';
import type { HeldImagesParts } from './held-images.ts';
import { listing, pageOf, readCursor } from '../page.ts';
import type { PageInput } from '../page.ts';
import type { Places, RepositoryInput } from '../places.ts';

/** An image by digest, tag or both, as somebody wrote them. */
export interface ImageId {
  readonly digest?: string | undefined;
  readonly tag?: string | undefined;
}

export type ImageDetails = ListedImage;
export type ImageName = NamedImage;

export interface ListingInput extends RepositoryInput, PageInput {
  readonly tags?: TagFilter | undefined;
  /** Only what is in an archive: nothing is. */
  readonly archived?: boolean | undefined;
}

/**
 * Every manifest of a repository as ECR lists images, children of indexes too, in the order of their digests; without asking upstream.
 * Shown is what `Images` shows. Each throws `RegistryError`.
 */
export interface ImageListings {
  /** Each once for each of its tags. */
  names(asker: Asker, input: ListingInput): Promise<Listing<ImageName>>;
  details(asker: Asker, input: ListingInput): Promise<Listing<ImageDetails>>;
  /** In the order of the ids, none twice. Throws `manifestUnknown` for the first that is not held. */
  detailsOf(
    asker: Asker,
    input: RepositoryInput & { readonly images: readonly ImageId[] },
  ): Promise<readonly ImageDetails[]>;
  /** That an asker with the right to the action may see the image: its digest. Throws as `detailsOf`. */
  find(
    asker: Asker,
    input: RepositoryInput & { readonly image: ImageId; readonly action: Action },
  ): Promise<Digest>;
}

export interface ImageListingsParts extends HeldImagesParts {
  readonly admission: Admission;
  readonly places: Places;
  readonly metadata: Pick<Metadata, 'repositories' | 'manifests' | 'tags'>;
}

export function createImageListings(parts: ImageListingsParts): ImageListings {
  const { metadata } = parts;
  const { manifests } = metadata;
  return {
    names: async (asker, { limit, cursor, archived, tags, ...input }) => {
      const { key, counting } = await shown(parts, asker, input, actions.listTags);
      const [digest = '', tag = ''] = readCursor(cursor, 2) ?? [];
      if (archived === true) return listing([]);
      const from = { after: { digest, tag }, tags };
      const rows = await manifests.listImageNames(key, from, limit + 1, counting);
      return pageOf(rows, limit, {
        view: (row) => row,
        keyOf: (row) => [row.digest, row.tag ?? ''],
      });
    },
    details: async (asker, { limit, cursor, archived, tags, ...input }) => {
      const { key, counting } = await shown(parts, asker, input, actions.describeImages);
      const after = readCursor(cursor, 1)?.[0] ?? '';
      if (archived === true) return listing([]);
      const rows = await manifests.listManifests(key, { after, tags }, limit + 1, counting);
      return pageOf(rows, limit, { view: (row) => row, keyOf: (row) => [row.digest] });
    },
    detailsOf: async (asker, { images, ...input }) => {
      const { key, counting } = await shown(parts, asker, input, actions.describeImages);
      const asked = new Map<Digest, ImageId>();
      for (const image of images)
        asked.set(await requireImage(metadata, key, image, counting), image);
      const rows = await manifests.findManifests(key, [...asked.keys()], counting);
      const found = new Map(rows.map((row) => [row.digest, row]));
      return [...asked].map(([digest, image]) => found.get(digest) ?? imageUnknown(key, image));
    },
    find: async (asker, { image, action, ...input }) => {
      const { key, counting } = await shown(parts, asker, input, action);
      return await requireImage(metadata, key, image, counting);
    },
  };
}

/** The right, then the repository, and what of it is shown. */
async function shown(
  parts: ImageListingsParts,
  asker: Asker,
  input: RepositoryInput,
  action: Action,
): Promise<{ readonly key: RepositoryKey; readonly counting: Counting | undefined }> {
  const place = parts.places.place(input, asker);
  await parts.admission.require(asker, place, [action]);
  const key = await keyOfRepository(parts.metadata, place);
  return { key, counting: await countingFor(parts, asker, place) };
}

async function requireImage(
  { manifests, tags }: Pick<Metadata, 'manifests' | 'tags'>,
  key: RepositoryKey,
  image: ImageId,
  counting: Counting | undefined,
): Promise<Digest> {
  let digest = image.digest === undefined ? undefined : parseDigest(image.digest);
  if (image.tag !== undefined) {
    const tag = parseTag(image.tag);
    const found = tag && (await tags.findTag(key, tag));
    const isNamed = found !== undefined && tagCountsFor(found, counting);
    if (!isNamed || (image.digest !== undefined && digest !== found.digest))
      return imageUnknown(key, image);
    ({ digest } = found);
  }
  const info = digest && (await manifests.findManifestInfo(key, digest));
  if (digest === undefined || info === undefined || !manifestCountsFor(info, counting))
    return imageUnknown(key, image);
  return digest;
}

function imageUnknown({ repository }: RepositoryKey, { digest, tag }: ImageId): never {
  throw new RegistryError('manifestUnknown', `${repository} holds no such image`, {
    kind: 'imageUnknown',
    detail: {
      name: repository,
      ...(digest === undefined ? {} : { digest }),
      ...(tag === undefined ? {} : { tag }),
    },
  });
}
