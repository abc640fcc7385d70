import * as z from 'zod';
import type { Audit } from '../../access/access.ts';
import type { Pushes } from '../../cache/push/pushes.ts';
import type { CountRecords } from '../../cache/whose-bytes.ts';
import { manifestCountsFor, tagCountsFor } from '../../cache/whose-bytes.ts';
import { actions } from '../../domain/policy/access-action.ts';
import type { ImageDetailView, ImageView, TagView } from '../../contract/access-view.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { RegistryError, repositoryUnknown } from '../../domain/errors.ts';
import type { Descriptor } from '../../domain/manifests/manifest.ts';
import type { Reference } from '../../domain/names/reference.ts';
import { formatReference, parseReference } from '../../domain/names/reference.ts';
import type { Tag } from '../../domain/names/tag.ts';
import { parseTag } from '../../domain/names/tag.ts';
import type {
  Counting,
  ManifestInfo,
  ImageRow,
  RepositoryKey,
  StoredTag,
  TagRow,
} from '../../metadata/contract/rows.ts';
import type { Metadata, TagMetadata } from '../../metadata/contract/metadata.ts';
import type { Admission, Place } from './admission.ts';
import type { Asker, Endpoint } from './endpoint.ts';
import { endpoint } from './endpoint.ts';
import { fields } from './input.ts';
import * as outputs from './outputs.ts';
import { isoTime, isoTimeOrNull, pageOf, readCursor } from './page.ts';
import { told } from './repositories.ts';

export interface ImageParts {
  readonly admission: Admission;
  readonly metadata: Pick<Metadata, 'manifests' | 'repositories' | 'tags'>;
  readonly pushes: Pick<Pushes, 'deleteManifest'>;
  /** The cache's own: which records a pull would be served from. */
  readonly counting: CountRecords;
  readonly audit: Audit;
}

const historyMax = 20;

const where = {
  repository: fields.repository,
  account: fields.account,
  region: fields.region,
};
const page = { limit: fields.limit, cursor: fields.cursor };

/**
 * What a repository holds, without asking upstream. Whoever may see it is shown what a pull would be given: nothing that came
 * through a rule which leads elsewhere now, or that its rule stops or does not admit. The operator is shown all of it.
 */
export function imageEndpoints(parts: ImageParts): readonly Endpoint[] {
  return [...listEndpoints(parts), ...oneImageEndpoints(parts)];
}

function listEndpoints(parts: ImageParts): readonly Endpoint[] {
  const { admission, metadata } = parts;
  return [
    endpoint({
      method: 'GET',
      path: 'tags',
      summary: 'The tags of a repository, in their order',
      input: z.strictObject({ ...where, ...page }),
      output: outputs.listOf(outputs.tag),
      answer: async ({ input, ...asker }) => {
        const place = admission.place(input, asker);
        await admission.require(asker, actions.listTags, place);
        const key = await heldKey(metadata, place);
        const counting = await countingFor(parts, asker, place);
        const after = readCursor(input.cursor, 1)?.[0] ?? '';
        const rows = await metadata.tags.listTagRows(key, after, input.limit + 1, counting);
        return pageOf(rows, input.limit, { view: viewTag, keyOf: ({ tag }) => [tag] });
      },
    }),
    endpoint({
      method: 'GET',
      path: 'images',
      summary: 'The images of a repository, the newest first',
      input: z.strictObject({ ...where, ...page }),
      output: outputs.listOf(outputs.image),
      answer: async ({ input, ...asker }) => {
        const place = admission.place(input, asker);
        await admission.require(asker, actions.describeImages, place);
        const key = await heldKey(metadata, place);
        const counting = await countingFor(parts, asker, place);
        const before = readBefore(input.cursor);
        const rows = await metadata.manifests.listImages(key, before, input.limit + 1, counting);
        return pageOf(rows, input.limit, {
          view: viewImage,
          keyOf: ({ createdAt, digest }) => [String(createdAt), digest],
        });
      },
    }),
  ];
}

function oneImageEndpoints(parts: ImageParts): readonly Endpoint[] {
  const { admission, metadata, pushes } = parts;
  return [
    endpoint({
      method: 'DELETE',
      path: 'tags',
      summary: 'Deletes a tag; the image stays',
      input: z.strictObject({ ...where, tag: fields.reference }),
      output: outputs.deletedImage,
      answer: async ({ input, ...asker }) => {
        const tag = parseTag(input.tag);
        if (tag === undefined) throw new RegistryError('tagInvalid', 'tag: not a tag');
        const place = admission.place(input, asker);
        await admission.require(asker, actions.delete, place);
        const deleted = await pushes.deleteManifest({ ...place, reference: { kind: 'tag', tag } });
        const { digest } = deleted;
        told(parts, asker, actions.delete, place, { tag, digest });
        return { repository: place.target.repository, ...deleted };
      },
    }),
    endpoint({
      method: 'GET',
      path: 'image',
      summary: 'One image by tag or digest: what its manifest names, and what refers to it',
      input: z.strictObject({ ...where, reference: fields.reference }),
      output: outputs.imageDetail,
      answer: async ({ input, ...asker }) => {
        const reference = readReference(input.reference);
        const place = admission.place(input, asker);
        await admission.require(asker, actions.describeImages, place);
        const counting = await countingFor(parts, asker, place, reference);
        return readImage(metadata, await heldKey(metadata, place), reference, counting);
      },
    }),
    endpoint({
      method: 'DELETE',
      path: 'image',
      summary: 'Deletes an image with its tags; by a tag, the image that it names',
      input: z.strictObject({ ...where, reference: fields.reference }),
      output: outputs.deletedImage,
      answer: async ({ input, ...asker }) => {
        const reference = readReference(input.reference);
        const place = admission.place(input, asker);
        await admission.require(asker, actions.delete, place);
        const key = await heldKey(metadata, place);
        const digest =
          reference.kind === 'digest'
            ? reference.digest
            : (await findTag(metadata, key, reference)).digest;
        const deleted = await pushes.deleteManifest({
          ...place,
          reference: { kind: 'digest', digest },
        });
        const tags = deleted.tags.join(' ');
        told(parts, asker, actions.delete, place, { digest, tags });
        return { repository: place.target.repository, ...deleted };
      },
    }),
  ];
}

/** Throws `denied` where the rule's patterns do; `undefined`: all records count. */
async function countingFor(
  { admission, counting }: ImageParts,
  asker: Asker,
  place: Place,
  reference?: Reference,
): Promise<Counting | undefined> {
  if (admission.isOperator(asker)) return undefined;
  if (admission.admits(asker, place, reference)) return counting(place);
  const { rule, upstreamRepository: repository } = place.target;
  throw new RegistryError('denied', `the rule ${rule?.prefix} does not allow this`, {
    detail: { rule: rule?.prefix, repository, field: 'allow, deny' },
  });
}

async function heldKey(
  metadata: Pick<Metadata, 'repositories'>,
  { registry, target: { repository } }: Place,
): Promise<RepositoryKey> {
  const key = { registry, repository };
  if ((await metadata.repositories.findRepository(key)) !== undefined) return key;
  throw repositoryUnknown(repository);
}

function readReference(text: string): Reference {
  const reference = parseReference(text);
  if (reference !== undefined) return reference;
  throw new RegistryError('requestInvalid', 'reference: neither a tag nor a digest', {
    detail: { field: 'reference' },
  });
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
  return (await metadata.tags.findTag(key, reference.tag)) ?? unknownImage(key, reference);
}

function unknownImage(key: RepositoryKey, reference: Reference): never {
  throw new RegistryError(
    'manifestUnknown',
    `${key.repository} holds no ${formatReference(reference)}`,
    { detail: { name: key.repository } },
  );
}

async function readImage(
  metadata: ImageParts['metadata'],
  key: RepositoryKey,
  reference: Reference,
  counting: Counting | undefined,
): Promise<ImageDetailView> {
  const tag = reference.kind === 'tag' ? await findTag(metadata, key, reference) : undefined;
  if (tag !== undefined && !tagCountsFor(tag, counting)) return unknownImage(key, reference);
  const digest = reference.kind === 'tag' ? tag?.digest : reference.digest;
  const info = digest && (await findCounting(metadata, key, digest, counting));
  if (digest === undefined || info === undefined) return unknownImage(key, reference);
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
