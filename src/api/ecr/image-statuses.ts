import { AwsError } from '../aws/aws-error.ts';
import type { AwsAsking } from '../aws/service-table.ts';
import { imageOfCall } from './images.ts';
import type { ImageIdentifier } from './model.ts';
import { repositoryOfCall } from './parts.ts';
import type { EcrParts, EcrRows } from './parts.ts';

type Parts = Pick<EcrParts, 'imageStatuses'>;

/** Whatever an engine that this server does not have would have done. */
const failureCode = 'EngineNotAvailable';

/** What else is asked of one image: it is refused, or answered as failed, by the errors that clients know. */
export function imageStatusRows(parts: Parts): EcrRows {
  return { ...configuredRows(parts), ...scanRows(parts), ...storageRow(parts) };
}

interface OneImage {
  readonly registryId?: string | undefined;
  readonly repositoryName: string;
  readonly imageId: ImageIdentifier;
}

function questionOf(asking: AwsAsking, input: OneImage) {
  return { ...repositoryOfCall(asking, input), image: imageOfCall('imageId', input.imageId) };
}

function configuredRows({ imageStatuses }: Parts): EcrRows {
  return {
    DescribeImageReplicationStatus: {
      changes: false,
      answer: async (input, asking) => {
        const found = await imageStatuses.replication(asking, questionOf(asking, input));
        return {
          repositoryName: input.repositoryName,
          imageId: input.imageId,
          replicationStatuses: found.map(({ account, region }) => ({
            region,
            registryId: account,
            status: 'FAILED' as const,
            failureCode,
          })),
        };
      },
    },
    DescribeImageSigningStatus: {
      changes: false,
      answer: async (input, asking) => {
        const question = questionOf(asking, input);
        const found = await imageStatuses.signing(asking, question);
        return {
          repositoryName: input.repositoryName,
          imageId: input.imageId,
          registryId: question.account,
          signingStatuses: found.map((signingProfileArn) => ({
            signingProfileArn,
            status: 'FAILED' as const,
            failureCode,
            failureReason: 'Breakwater keeps the configuration and signs nothing',
          })),
        };
      },
    },
  };
}

function scanRows({ imageStatuses }: Parts): EcrRows {
  return {
    StartImageScan: {
      changes: true,
      answer: async (input, asking) => {
        await imageStatuses.scanned(asking, { ...questionOf(asking, input), start: true });
        throw new AwsError(
          'UnsupportedImageTypeException',
          'The image is of a type that cannot be scanned: Breakwater has no scanner',
        );
      },
    },
    DescribeImageScanFindings: {
      changes: false,
      answer: async (input, asking) => {
        const question = questionOf(asking, input);
        const imageDigest = await imageStatuses.scanned(asking, { ...question, start: false });
        const imageTag = input.imageId.imageTag ?? 'null';
        throw new AwsError(
          'ScanNotFoundException',
          `Image scan does not exist for the image with '{imageDigest:'${imageDigest}', imageTag:'${imageTag}'}' in the repository with name '${input.repositoryName}' in the registry with id '${question.account}'`,
        );
      },
    },
  };
}

function storageRow({ imageStatuses }: Parts): EcrRows {
  return {
    UpdateImageStorageClass: {
      changes: true,
      answer: async (input, asking) => {
        const question = questionOf(asking, input);
        const imageDigest = await imageStatuses.stored(asking, question);
        if (input.targetStorageClass === 'ARCHIVE')
          throw new AwsError(
            'ImageStorageClassUpdateNotSupportedException',
            'The image cannot be archived: Breakwater has the storage class STANDARD alone',
          );
        return {
          registryId: question.account,
          repositoryName: input.repositoryName,
          imageId: { imageDigest, imageTag: input.imageId.imageTag },
          imageStatus: 'ACTIVE',
        };
      },
    },
  };
}
