import type {
  ImageDetails,
  ImageId,
  ListingInput,
} from '../../operations/images/image-listings.ts';
import { timestamp } from '../aws/service-model.ts';
import type { AwsAsking } from '../aws/service-table.ts';
import { invalidParameter } from './errors.ts';
import type {
  DescribeImagesFilter,
  DescribeImagesRequest,
  DescribeImagesResponse,
  ImageDetail,
  ImageIdentifier,
} from './model.ts';
import { listOf, pageOfCall, repositoryOfCall, requireNoPage } from './parts.ts';
import type { EcrParts, EcrRows, RepositoryOfCall } from './parts.ts';

/** Lists of images: every manifest of a repository, children of indexes too. */
export function imageListRows(parts: Pick<EcrParts, 'imageListings' | 'pages'>): EcrRows {
  const { imageListings, pages } = parts;
  return {
    ListImages: {
      changes: false,
      answer: async (input, asking) => {
        const place = repositoryOfCall(asking, input);
        const list = listOf('ListImages', place, input.filter);
        const page = await imageListings.names(asking, {
          ...place,
          ...filterOf(input.filter),
          ...pageOfCall(parts, list, input),
        });
        return {
          imageIds: page.items.map(idInAnswer),
          nextToken: pages.write(list, page.next),
        };
      },
    },
    DescribeImages: {
      changes: false,
      answer: async (input, asking) =>
        input.imageIds === undefined
          ? await describePage(parts, asking, input)
          : await describeSome(parts, asking, input, input.imageIds),
    },
  };
}

async function describePage(
  parts: Pick<EcrParts, 'imageListings' | 'pages'>,
  asking: AwsAsking,
  input: DescribeImagesRequest,
): Promise<DescribeImagesResponse> {
  const place = repositoryOfCall(asking, input);
  const list = listOf('DescribeImages', place, input.filter);
  const page = await parts.imageListings.details(asking, {
    ...place,
    ...filterOf(input.filter),
    ...pageOfCall(parts, list, input),
  });
  return {
    imageDetails: page.items.map((image) => viewImage(place, image)),
    nextToken: parts.pages.write(list, page.next),
  };
}

async function describeSome(
  { imageListings }: Pick<EcrParts, 'imageListings'>,
  asking: AwsAsking,
  input: DescribeImagesRequest,
  ids: readonly ImageIdentifier[],
): Promise<DescribeImagesResponse> {
  requireNoPage('imageIds', input);
  const place = repositoryOfCall(asking, input);
  const images = ids.map((id) => imageOfCall('imageIds', id));
  const found = await imageListings.detailsOf(asking, { ...place, images });
  const { tags, archived } = filterOf(input.filter);
  const wanted = found.filter(
    (image) =>
      archived !== true && (tags === undefined || (tags === 'tagged') === image.tags.length > 0),
  );
  return { imageDetails: wanted.map((image) => viewImage(place, image)) };
}

/** The image that a member names. */
export function imageOfCall(member: string, id: ImageIdentifier): ImageId {
  if (id.imageDigest === undefined && id.imageTag === undefined)
    throw invalidParameter(member, 'both tag and digest cannot be null');
  return idOfCall(id);
}

/** As operations name an image; it may name none. */
export function idOfCall({ imageDigest, imageTag }: ImageIdentifier): ImageId {
  return { digest: imageDigest, tag: imageTag };
}

export function idInAnswer({ digest, tag }: ImageId): ImageIdentifier {
  return { imageDigest: digest, imageTag: tag };
}

function filterOf({ tagStatus = 'ANY', imageStatus = 'ACTIVE' }: DescribeImagesFilter = {}): Pick<
  ListingInput,
  'tags' | 'archived'
> {
  return {
    tags: tagStatus === 'ANY' ? undefined : tagStatus === 'TAGGED' ? 'tagged' : 'untagged',
    archived: imageStatus === 'ARCHIVED' || imageStatus === 'ACTIVATING',
  };
}

function viewImage({ account, repository }: RepositoryOfCall, image: ImageDetails): ImageDetail {
  return {
    registryId: account,
    repositoryName: repository,
    imageDigest: image.digest,
    imageTags: image.tags.length === 0 ? undefined : image.tags,
    imageSizeInBytes: image.size,
    imagePushedAt: timestamp(image.createdAt),
    imageManifestMediaType: image.mediaType,
    artifactMediaType: image.artifactType ?? image.configType,
    lastRecordedPullTime: image.lastPulledAt === 0 ? undefined : timestamp(image.lastPulledAt),
    subjectManifestDigest: image.subject,
    imageStatus: 'ACTIVE',
  };
}
