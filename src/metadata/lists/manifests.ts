import type { RepositoryKey } from '../../domain/names/registry.ts';
import { sql as text } from 'kysely';
import type { Descriptor } from '../../domain/manifests/manifest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type {
  Counting,
  ImageRow,
  ListedImage,
  NamedImage,
  Provenance,
  TagFilter,
} from '../contract/rows.ts';
import { rowsQuery } from '../sql/point-query.ts';
import type { Sql } from '../sql/schema.ts';
import { textBefore } from '../sql/text-order.ts';
import { manifestCounts, tagCounts } from '../rows/counting.ts';
import { idOfRepository } from '../rows/repository-row.ts';

/** Referrers of one subject that are listed; a subject with more is listed in part. */
const referrersMax = 5000;

export async function listReferrers(
  sql: Sql,
  key: RepositoryKey,
  subject: Digest,
  counting?: Counting,
): Promise<readonly Descriptor[]> {
  const rows = await sql
    .selectFrom('repositories')
    .innerJoin('manifests', 'manifests.repository_id', 'repositories.id')
    .select([
      'manifests.digest',
      'manifests.media_type',
      'manifests.size',
      'manifests.artifact_type',
      'manifests.annotations',
    ])
    .where('repositories.registry', '=', key.registry)
    .where('repositories.name', '=', key.repository)
    .where('manifests.subject', '=', subject)
    .where(manifestCounts('manifests', counting))
    .orderBy('manifests.id')
    .limit(referrersMax)
    .execute();
  return rows.map((row) => ({
    mediaType: row.media_type,
    digest: row.digest as Digest,
    size: row.size,
    ...(row.artifact_type === null ? {} : { artifactType: row.artifact_type }),
    ...(row.annotations === null
      ? {}
      : { annotations: JSON.parse(row.annotations) as Record<string, string> }),
  }));
}

/** Images in one list; the caller asks for the next. */
const imagesMax = 1000;

/** Tags of one image that are listed, as many as ECR lets an image have. */
const tagsPerImageMax = 1000;

interface ImagesPage extends RepositoryKey {
  readonly createdAt: number;
  readonly digest: string;
  readonly limit: number;
}

/** Claimed sizes may add up to more than an integer holds. */
const sizeSum = text<number>`sum(cast(blob.size as double precision))`;

/** Every manifest of the repository that counts. */
function imagesOf(sql: Sql, key: RepositoryKey, counting: Counting | undefined) {
  return sql
    .selectFrom('manifests as image')
    .where('image.repository_id', '=', idOfRepository(sql, key))
    .where(manifestCounts('image', counting));
}

type Images = ReturnType<typeof imagesOf>;

/** The page's images: those that a tag names or that no index of the repository names. */
function imagesOfPage(sql: Sql, page: ImagesPage, counting: Counting | undefined): Images {
  return imagesOf(sql, page, counting)
    .where((eb) =>
      eb(
        eb.refTuple('image.created_at', 'image.digest'),
        '<',
        eb.tuple(page.createdAt, page.digest),
      ),
    )
    .where((eb) =>
      eb.or([
        eb.not(
          eb.exists(
            eb
              .selectFrom('manifest_children as child')
              .innerJoin('manifests as index', 'index.id', 'child.manifest_id')
              .select('child.digest')
              .where(manifestCounts('index', counting))
              .whereRef('child.repository_id', '=', 'image.repository_id')
              .whereRef('child.digest', '=', 'image.digest')
              .where('child.role', '=', 'manifest'),
          ),
        ),
        eb.exists(
          eb
            .selectFrom('tags')
            .select('tags.tag')
            .whereRef('tags.repository_id', '=', 'image.repository_id')
            .whereRef('tags.digest', '=', 'image.digest')
            .where(tagCounts('tags', counting)),
        ),
      ]),
    );
}

/** What a list shows of each. */
function withDetails(images: Images, counting: Counting | undefined) {
  return images
    .select([
      'image.repository_id',
      'image.digest',
      'image.media_type',
      'image.artifact_type',
      'image.size',
      'image.subject',
      'image.provenance',
      'image.created_at',
      'image.last_pulled_at',
    ])
    .select((eb) => [
      eb
        .selectFrom('manifest_children as blob')
        .select(sizeSum.as('sum'))
        .whereRef('blob.manifest_id', '=', 'image.id')
        .where('blob.role', '<>', 'manifest')
        .as('blobs_size'),
      eb
        .selectFrom('manifest_children as part')
        .innerJoin('manifests as child', (join) =>
          join
            .onRef('child.repository_id', '=', 'part.repository_id')
            .onRef('child.digest', '=', 'part.digest'),
        )
        .whereRef('part.manifest_id', '=', 'image.id')
        .where('part.role', '=', 'manifest')
        .where(manifestCounts('child', counting))
        .select((inner) =>
          inner.fn
            .max<number | null>(
              text`child.size + coalesce(${inner
                .selectFrom('manifest_children as blob')
                .select(sizeSum.as('sum'))
                .whereRef('blob.manifest_id', '=', 'child.id')
                .where('blob.role', '<>', 'manifest')}, 0)`,
            )
            .as('max'),
        )
        .as('largest_child'),
    ]);
}

type DetailRow = Awaited<ReturnType<ReturnType<typeof withDetails>['execute']>>[number];

interface ImageSlots {
  readonly repositoryId: number;
  readonly digest: string;
}

const allTagsOfImage = rowsQuery((sql, image: ImageSlots) => tagsOfImage(sql, image, undefined));

function tagsOfImage(sql: Sql, slots: ImageSlots, counting: Counting | undefined) {
  return sql
    .selectFrom('tags')
    .select('tag')
    .where('repository_id', '=', slots.repositoryId)
    .where('digest', '=', slots.digest)
    .where(tagCounts('tags', counting))
    .orderBy('tag')
    .limit(tagsPerImageMax);
}

export async function listImages(
  sql: Sql,
  key: RepositoryKey,
  before: { readonly createdAt: number; readonly digest: string } | undefined,
  limit: number,
  counting?: Counting,
): Promise<readonly ImageRow[]> {
  const page = {
    ...key,
    createdAt: before?.createdAt ?? Number.MAX_SAFE_INTEGER,
    digest: before?.digest ?? '',
    limit: Math.min(limit, imagesMax),
  };
  const rows = await withDetails(imagesOfPage(sql, page, counting), counting)
    .orderBy('image.created_at', 'desc')
    .orderBy('image.digest', 'desc')
    .limit(page.limit)
    .execute();
  return imageRows(sql, rows, counting);
}

function imageRows(
  sql: Sql,
  rows: readonly DetailRow[],
  counting: Counting | undefined,
): Promise<readonly ImageRow[]> {
  return Promise.all(
    rows.map(async (row) => {
      const image = { repositoryId: row.repository_id, digest: row.digest };
      const tags = await (counting === undefined
        ? allTagsOfImage(sql, image)
        : tagsOfImage(sql, image, counting).execute());
      return {
        digest: row.digest as Digest,
        mediaType: row.media_type,
        artifactType: row.artifact_type ?? undefined,
        size: row.largest_child ?? row.size + (row.blobs_size ?? 0),
        tags: tags.map((one) => one.tag as Tag),
        provenance: row.provenance as Provenance,
        createdAt: row.created_at,
        lastPulledAt: row.last_pulled_at,
        subject: (row.subject ?? undefined) as Digest | undefined,
      };
    }),
  );
}

/** The same with the type of the config of each. */
async function listedImages(
  sql: Sql,
  images: Images,
  limit: number,
  counting: Counting | undefined,
): Promise<readonly ListedImage[]> {
  const rows = await withDetails(images, counting)
    .select((eb) =>
      eb
        .selectFrom('manifest_children as config')
        .select('config.media_type')
        .whereRef('config.manifest_id', '=', 'image.id')
        .where('config.role', '=', 'config')
        .limit(1)
        .as('config_type'),
    )
    .orderBy('image.digest')
    .limit(limit)
    .execute();
  const listed = await imageRows(sql, rows, counting);
  return listed.map((image, at) => ({ ...image, configType: rows[at]?.config_type ?? undefined }));
}

/** Images or names in one list: a page of ECR's, and one that says whether there is another. */
const listedMax = 1001;

/** Those that a tag names, or that none does; `undefined`: all. */
function withTags(
  images: Images,
  tags: TagFilter | undefined,
  counting: Counting | undefined,
): Images {
  if (tags === undefined) return images;
  return images.where((eb) => {
    const named = eb.exists(
      eb
        .selectFrom('tags')
        .select('tags.tag')
        .whereRef('tags.repository_id', '=', 'image.repository_id')
        .whereRef('tags.digest', '=', 'image.digest')
        .where(tagCounts('tags', counting)),
    );
    return tags === 'tagged' ? named : eb.not(named);
  });
}

export async function listManifests(
  sql: Sql,
  key: RepositoryKey,
  from: { readonly after: string; readonly tags?: TagFilter | undefined },
  limit: number,
  counting?: Counting,
): Promise<readonly ListedImage[]> {
  const images = imagesOf(sql, key, counting).where('image.digest', '>', textBefore(from.after));
  const wanted = withTags(images, from.tags, counting);
  return listedImages(sql, wanted, Math.min(limit, listedMax), counting);
}

export async function findManifests(
  sql: Sql,
  key: RepositoryKey,
  digests: readonly Digest[],
  counting?: Counting,
): Promise<readonly ListedImage[]> {
  const images = imagesOf(sql, key, counting).where('image.digest', 'in', digests);
  return listedImages(sql, images, digests.length, counting);
}

export async function listImageNames(
  sql: Sql,
  key: RepositoryKey,
  from: {
    readonly after: { readonly digest: string; readonly tag: string };
    readonly tags?: TagFilter | undefined;
  },
  limit: number,
  counting?: Counting,
): Promise<readonly NamedImage[]> {
  const { after, tags } = from;
  const images = imagesOf(sql, key, counting).where('image.digest', '>=', textBefore(after.digest));
  const rows = await withTags(images, tags, counting)
    .leftJoin('tags as name', (join) =>
      join
        .onRef('name.repository_id', '=', 'image.repository_id')
        .onRef('name.digest', '=', 'image.digest')
        .on(tagCounts('name', counting)),
    )
    .where((eb) =>
      eb.or([
        eb('image.digest', '>', textBefore(after.digest)),
        eb('name.tag', '>', textBefore(after.tag)),
      ]),
    )
    .select(['image.digest', 'name.tag'])
    .orderBy('image.digest')
    .orderBy('name.tag')
    .limit(Math.min(limit, listedMax))
    .execute();
  return rows.map((row) => ({
    digest: row.digest as Digest,
    tag: (row.tag ?? undefined) as Tag | undefined,
  }));
}
