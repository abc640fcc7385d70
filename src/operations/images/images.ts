import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { Asker } from '../../access/access.ts';
import type { Admission, Place } from '../../access/admission/admission.ts';
import type { CountRecords } from '../../cache/whose-bytes.ts';
import { manifestCountsFor, tagCountsFor } from '../../cache/whose-bytes.ts';
import type { Listing } from '../../contract/admin-view.ts';
import type {
  DeletedImageView,
  ImageDetailView,
  ImageView,
  TagView,
} from '../../contract/access-view.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Descriptor } from '../../domain/manifests/manifest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Reference } from '../../domain/names/reference.ts';
import type { Tag } from '../../domain/names/tag.ts';
import { actions } from '../../domain/policy/access-action.ts';
import type { Metadata, TagMetadata } from '../../metadata/contract/metadata.ts';
import type {
  Counting,
  ImageRow,
  ManifestInfo,
  StoredTag,
  TagRow,
} from '../../metadata/contract/rows.ts';
import type { ContentChanges } from '../content-changes.ts';
import { countingFor, imageUnknown, keyOfRepository } from './held-images.ts';
import { isoTime, isoTimeOrNull, pageOf, readCursor } from '../page.ts';
import type { PageInput } from '../page.ts';
import type { Places, RepositoryInput } from '../places.ts';

/**
 * What a repository holds, without asking upstream. Whoever may see it is shown what a pull would be given: nothing that came
 * through a rule which leads elsewhere now, or that its rule stops or does not admit. The operator is shown all of it. Each throws
 * `RegistryError`.
 */
export interface Images {
  /** In the order of the tags. */
  tags(asker: Asker, input: RepositoryInput & PageInput): Promise<Listing<TagView>>;
  /** The newest first. */
  list(asker: Asker, input: RepositoryInput & PageInput): Promise<Listing<ImageView>>;
  /** What its manifest names, and what refers to it. */
  describe(
    asker: Asker,
    input: RepositoryInput & { readonly reference: Reference },
  ): Promise<ImageDetailView>;
  /** The tag alone; the image stays. */
  deleteTag(
    asker: Asker,
    input: RepositoryInput & { readonly tag: Tag },
  ): Promise<DeletedImageView>;
  /** With its tags; by a tag, the image that it names. */
  delete(
    asker: Asker,
    input: RepositoryInput & { readonly reference: Reference },
  ): Promise<DeletedImageView>;
}

export interface ImagesParts {
  readonly admission: Admission;
  readonly places: Places;
  readonly contentChanges: Pick<ContentChanges, 'deleteManifest'>;
  readonly metadata: Pick<Metadata, 'repositories' | 'manifests' | 'tags'>;
  /** The cache's own: which records a pull would be served from. */
  readonly counting: CountRecords;
}

const historyMax = 20;

export function createImages(parts: ImagesParts): Images {
  return { ...imageViews(parts), ...imageDeletions(parts) };
}

function imageViews(parts: ImagesParts) {
  const { admission, places, metadata } = parts;
  return {
    tags: async (asker, { limit, cursor, ...input }) => {
      const place = places.place(input, asker);
      await admission.require(asker, place, [actions.listTags]);
      const key = await keyOfRepository(metadata, place);
      const counting = await countingFor(parts, asker, place);
      const after = readCursor(cursor, 1)?.[0] ?? '';
      const rows = await metadata.tags.listTagRows(key, after, limit + 1, counting);
      return pageOf(rows, limit, { view: viewTag, keyOf: ({ tag }) => [tag] });
    },
    list: async (asker, { limit, cursor, ...input }) => {
      const place = places.place(input, asker);
      await admission.require(asker, place, [actions.describeImages]);
      const key = await keyOfRepository(metadata, place);
      const counting = await countingFor(parts, asker, place);
      const rows = await metadata.manifests.listImages(
        key,
        readBefore(cursor),
        limit + 1,
        counting,
      );
      return pageOf(rows, limit, {
        view: viewImage,
        keyOf: ({ createdAt, digest }) => [String(createdAt), digest],
      });
    },
    describe: async (asker, { reference, ...input }) => {
      const place = places.place(input, asker);
      await admission.require(asker, place, [actions.describeImages]);
      const counting = await countingFor(parts, asker, place, reference);
      return readImage(metadata, await keyOfRepository(metadata, place), reference, counting);
    },
  } satisfies Partial<Images>;
}

function imageDeletions(parts: ImagesParts) {
  const { admission, places, metadata, contentChanges } = parts;
  const remove = async (
    asker: Asker,
    place: Place,
    reference: Reference,
  ): Promise<DeletedImageView> => {
    const deleted = await contentChanges.deleteManifest(asker, place, reference);
    return { repository: place.target.repository, ...deleted };
  };
  return {
    deleteTag: (asker, { tag, ...input }) =>
      remove(asker, places.place(input, asker), { kind: 'tag', tag }),
    delete: async (asker, { reference, ...input }) => {
      const place = places.place(input, asker);
      // Before it is looked for: whether it is there is not for everybody.
      await admission.require(asker, place, [actions.delete]);
      const key = await keyOfRepository(metadata, place);
      const digest =
        reference.kind === 'digest'
          ? reference.digest
          : (await findTag(metadata, key, reference)).digest;
      return remove(asker, place, { kind: 'digest', digest });
    },
  } satisfies Partial<Images>;
}

function readBefore(
  cursor: string | undefined,
): { readonly createdAt: number; readonly digest: string } | undefined {
  const key = readCursor(cursor, 2);
  if (key === undefined) return undefined;
  const [createdAt = '', digest = ''] = key;
  if (!/^\d{1,15}$/.test(createdAt))
    throw new RegistryError('paginationInvalid', 'cursor: not one of this list');
  return { createdAt: Number(createdAt), digest };
}

async function findTag(
  metadata: Pick<Metadata, 'tags'>,
  key: RepositoryKey,
  reference: Reference & { readonly kind: 'tag' },
): Promise<StoredTag> {
  const found = await metadata.tags.findTag(key, reference.tag);
  if (found === undefined) throw imageUnknown(key.repository, reference);
  return found;
}

async function readImage(
  metadata: ImagesParts['metadata'],
  key: RepositoryKey,
  reference: Reference,
  counting: Counting | undefined,
): Promise<ImageDetailView> {
  const tag = reference.kind === 'tag' ? await findTag(metadata, key, reference) : undefined;
  if (tag !== undefined && !tagCountsFor(tag, counting))
    throw imageUnknown(key.repository, reference);
  const digest = reference.kind === 'tag' ? tag?.digest : reference.digest;
  const info = digest && (await findCounting(metadata, key, digest, counting));
  if (digest === undefined || info === undefined) throw imageUnknown(key.repository, reference);
  const [children, referrers, history] = await Promise.all([
    metadata.manifests.findChildren(key, digest),
    metadata.manifests.listReferrers(key, digest, counting),
    tag === undefined ? [] : readHistory(metadata, key, tag.tag, counting),
  ]);
  return {
    repository: key.repository,
    digest,
    mediaType: info.mediaType,
    size: info.size,
    tag:
      tag === undefined
        ? null
        : {
            name: tag.tag,
            provenance: tag.provenance,
            source: placeOf(tag),
            validatedAt: isoTime(tag.validatedAt),
            history: history.map((seen) => ({
              digest: seen.digest,
              seenAt: isoTime(seen.seenAt),
            })),
          },
    children: children.map((child) => ({
      role: child.role,
      digest: child.digest,
      mediaType: child.mediaType,
      size: child.size,
      platform: platformOf(child),
    })),
    referrers: referrers.map((each) => ({
      digest: each.digest,
      mediaType: each.mediaType,
      artifactType: each.artifactType ?? null,
      size: each.size,
    })),
  };
}

/** Where it was read; as whom is nobody's business. */
function placeOf({ source }: Pick<StoredTag, 'source'>): string | null {
  return source.split(' ', 1)[0] || null;
}

async function findCounting(
  metadata: Pick<Metadata, 'manifests'>,
  key: RepositoryKey,
  digest: Digest,
  counting: Counting | undefined,
): Promise<ManifestInfo | undefined> {
  const info = await metadata.manifests.findManifestInfo(key, digest);
  return info !== undefined && manifestCountsFor(info, counting) ? info : undefined;
}

/** Those digests that it has had and that count. */
async function readHistory(
  metadata: Pick<Metadata, 'manifests' | 'tags'>,
  key: RepositoryKey,
  tag: Tag,
  counting: Counting | undefined,
): ReturnType<TagMetadata['tagHistory']> {
  const seen = await metadata.tags.tagHistory(key, tag, historyMax);
  if (counting === undefined) return seen;
  const found = await Promise.all(
    seen.map(({ digest }) => findCounting(metadata, key, digest, counting)),
  );
  return seen.filter((_, at) => found[at] !== undefined);
}

function platformOf({ platform }: Descriptor): string | null {
  if (platform === undefined) return null;
  return [platform.os, platform.architecture, platform.variant]
    .filter((part) => part !== undefined)
    .join('/');
}

function viewTag(row: TagRow): TagView {
  return {
    tag: row.tag,
    digest: row.digest,
    mediaType: row.mediaType,
    size: row.size,
    provenance: row.provenance,
    source: placeOf(row),
    validatedAt: isoTime(row.validatedAt),
    lastPulledAt: isoTimeOrNull(row.lastPulledAt),
  };
}

function viewImage(row: ImageRow): ImageView {
  return {
    digest: row.digest,
    mediaType: row.mediaType,
    artifactType: row.artifactType ?? null,
    size: row.size,
    tags: row.tags,
    provenance: row.provenance,
    createdAt: isoTime(row.createdAt),
    lastPulledAt: isoTimeOrNull(row.lastPulledAt),
    subject: row.subject ?? null,
  };
}
