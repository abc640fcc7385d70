import { createHash } from 'node:crypto';
import { algorithmOf, parseDigest } from '../../domain/names/digest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { parseTag } from '../../domain/names/tag.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { FailedImage, GotImage, ImageProblem } from '../../operations/images/image-batches.ts';
import { pageOfAll } from '../../operations/page.ts';
import { AwsError } from '../aws/aws-error.ts';
import { invalidParameter } from './errors.ts';
import { idInAnswer, idOfCall } from './images.ts';
import type {
  Image,
  ImageFailure,
  ImageFailureCode,
  ListImageReferrersFilter,
  PutImageRequest,
} from './model.ts';
import { contentBytesMax, listOf, pageOfCall, repositoryOfCall } from './parts.ts';
import type { EcrParts, EcrRows, RepositoryOfCall } from './parts.ts';

type Parts = Pick<EcrParts, 'imageBatches' | 'imageContent' | 'pages'>;

const referrersPerPage = 20;

/** Manifests as they are: got, put, deleted, and what refers to them. */
export function imageContentRows(parts: Parts): EcrRows {
  return { ...batchRows(parts), ...putRow(parts), ...referrersRow(parts) };
}

function batchRows({ imageBatches }: Parts): EcrRows {
  return {
    BatchGetImage: {
      changes: false,
      answer: async (input, asking) => {
        const place = repositoryOfCall(asking, input);
        const images = input.imageIds.map(idOfCall);
        const got = await imageBatches.get(asking, { ...place, images }, asking);
        return {
          images: got.images.map((image) => viewGot(place, image)),
          failures: got.failures.map(viewFailure),
        };
      },
    },
    BatchDeleteImage: {
      changes: true,
      answer: async (input, asking) => {
        const place = repositoryOfCall(asking, input);
        const images = input.imageIds.map(idOfCall);
        const { deleted, failures } = await imageBatches.delete(asking, { ...place, images });
        return {
          imageIds: deleted.map(idInAnswer),
          failures: failures.map(viewFailure),
        };
      },
    },
  };
}

function viewGot({ account, repository }: RepositoryOfCall, { tag, manifest }: GotImage): Image {
  return {
    registryId: account,
    repositoryName: repository,
    imageId: idInAnswer({ digest: manifest.digest, tag }),
    imageManifest: Buffer.from(manifest.bytes ?? '').toString('utf8'),
    imageManifestMediaType: manifest.mediaType,
  };
}

const problems = {
  unnamed: [
    'MissingDigestAndTag',
    'Invalid request parameters: both tag and digest cannot be null',
  ],
  digestInvalid: [
    'InvalidImageDigest',
    "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
  ],
  tagInvalid: [
    'InvalidImageTag',
    "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'",
  ],
  unknown: ['ImageNotFound', 'Requested image not found'],
  mismatched: ['ImageTagDoesNotMatchDigest', 'The image tag does not match the image digest'],
  referenced: [
    'ImageReferencedByManifestList',
    'Requested image referenced by manifest list: delete the list first',
  ],
  upstreamDenied: [
    'UpstreamAccessDenied',
    'The authentication to the upstream registry failed. Verify that the credentials are valid and may pull this image',
  ],
  upstreamLimited: [
    'UpstreamTooManyRequests',
    'The upstream registry limits requests. Try again later',
  ],
  upstreamFailed: ['UpstreamUnavailable', 'The upstream registry is unavailable'],
} as const satisfies Record<ImageProblem, readonly [ImageFailureCode, string]>;

function viewFailure({ image, problem }: FailedImage): ImageFailure {
  const [failureCode, failureReason] = problems[problem];
  return { imageId: idInAnswer(image), failureCode, failureReason };
}

function putRow({ imageContent }: Parts): EcrRows {
  return {
    PutImage: {
      changes: true,
      bodyBytesMax: contentBytesMax,
      answer: async (input, asking) => {
        const place = repositoryOfCall(asking, input);
        const bytes = new Uint8Array(Buffer.from(input.imageManifest));
        const digest = digestOfImage(bytes, input);
        const tag = tagOfCall(input.imageTag);
        const { mediaType } = await imageContent.put(asking, {
          ...place,
          digest,
          tag,
          bytes,
          contentType: input.imageManifestMediaType,
        });
        const image: Image = {
          registryId: place.account,
          repositoryName: place.repository,
          imageId: idInAnswer({ digest, tag }),
          imageManifest: input.imageManifest,
          imageManifestMediaType: mediaType,
        };
        return { image };
      },
    },
  };
}

/** That of the bytes, by the algorithm of the one that was said, which it must be. */
function digestOfImage(bytes: Uint8Array, { imageDigest }: PutImageRequest): Digest {
  const said = imageDigest === undefined ? undefined : parseDigest(imageDigest);
  const algorithm = said === undefined ? 'sha256' : algorithmOf(said);
  const digest = parseDigest(`${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`);
  if (digest !== undefined && (imageDigest ?? digest) === digest) return digest;
  throw new AwsError(
    'ImageDigestDoesNotMatchException',
    'The specified image digest does not match the digest that Amazon ECR calculated for the image.',
  );
}

function tagOfCall(text: string | undefined): Tag | undefined {
  const tag = text === undefined ? undefined : parseTag(text);
  if (text === undefined || tag !== undefined) return tag;
  throw invalidParameter(
    'imageTag',
    "must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'",
  );
}

function referrersRow(parts: Parts): EcrRows {
  const { imageContent, pages } = parts;
  return {
    ListImageReferrers: {
      changes: false,
      answer: async (input, asking) => {
        const place = repositoryOfCall(asking, input);
        const subject = parseDigest(input.subjectId.imageDigest);
        if (subject === undefined)
          throw invalidParameter('subjectId.imageDigest', 'must be a digest of sha256 or sha512');
        const list = listOf('ListImageReferrers', place, { subject, ...input.filter });
        const { nextToken, maxResults = referrersPerPage } = input;
        const asked = pageOfCall(parts, list, { nextToken, maxResults });
        const found = await imageContent.referrers(asking, { ...place, subject }, asking);
        const wanted = found.filter(({ artifactType }) => isWanted(artifactType, input.filter));
        const page = pageOfAll(wanted, asked, {
          view: ({ digest, mediaType, size, artifactType, annotations }) => ({
            digest,
            mediaType,
            size,
            artifactType,
            annotations,
            artifactStatus: 'ACTIVE' as const,
          }),
          keyOf: ({ digest }) => digest,
        });
        return { referrers: page.items, nextToken: pages.write(list, page.next) };
      },
    },
  };
}

function isWanted(
  artifactType: string | undefined,
  { artifactTypes = [], artifactStatus = 'ACTIVE' }: ListImageReferrersFilter = {},
): boolean {
  const isActive = artifactStatus === 'ACTIVE' || artifactStatus === 'ANY';
  return (
    isActive &&
    (artifactTypes.length === 0 ||
      (artifactType !== undefined && artifactTypes.includes(artifactType)))
  );
}
