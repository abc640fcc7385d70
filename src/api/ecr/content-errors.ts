import type { ErrorCode, RegistryError } from '../../domain/errors.ts';
import { inRepository, invalid } from './error-words.ts';
import type { Words } from './error-words.ts';

type WordsByCode = Readonly<Partial<Record<ErrorCode, Words>>>;

const uploadUnknown: Words = (place, _error, { uploadId }) => [
  'UploadNotFoundException',
  `The upload with id '${String(uploadId)}' could not be found ${inRepository(place)}`,
];

const partInvalid: Words = (place, { detail, message }, { uploadId }) => {
  const size = detail?.['size'];
  return [
    'InvalidLayerPartException',
    `The layer part is not valid, or its first byte does not follow the last byte of the part before: ${message}`,
    {
      registryId: place.registry,
      repositoryName: place.repository,
      uploadId,
      ...(typeof size === 'number' && size > 0 ? { lastValidByteReceived: size - 1 } : {}),
    },
  ];
};

/** What a code is to an operation that takes content in. */
const byOperation: Readonly<Record<string, WordsByCode>> = {
  PutImage: {
    tagImmutable: (place, { detail }) => [
      'ImageTagAlreadyExistsException',
      `The image tag '${String(detail?.['tag'])}' already exists in the '${place.repository}' repository and cannot be overwritten because the tag is immutable.`,
    ],
    manifestBlobUnknown: (place, { detail }, { imageManifest }) => {
      const digests = detail?.['digests'];
      const named = Array.isArray(digests) ? digests.join(', ') : '';
      return isIndex(imageManifest)
        ? [
            'ReferencedImagesNotFoundException',
            `Images with digests '[${named}]' required for pushing image into repository do not exist ${inRepository(place)}`,
          ]
        : [
            'LayersNotFoundException',
            `Layers with digests '[${named}]' required for pushing image into repository do not exist ${inRepository(place)}`,
          ];
    },
    manifestInvalid: (_place, { message }) => [
      'InvalidParameterException',
      invalid('ImageManifest', `Invalid JSON syntax or manifest: ${message}`),
    ],
  },
  GetDownloadUrlForLayer: {
    blobUnknown: (place, _error, { layerDigest }) => [
      'LayersNotFoundException',
      `Layers with digests '[${String(layerDigest)}]' do not exist ${inRepository(place)}`,
    ],
  },
  UploadLayerPart: {
    uploadUnknown,
    uploadRange: partInvalid,
    sizeInvalid: partInvalid,
    requestTooLarge: 'LimitExceededException',
  },
  CompleteLayerUpload: {
    uploadUnknown,
    digestInvalid: () => [
      'InvalidLayerException',
      'The layer digest calculation performed by Amazon ECR upon receipt of the image layer does not match the digest specified.',
    ],
  },
};

/** What a failure of an upstream is to an operation. */
const upstreamErrors: Readonly<Record<string, string>> = {
  ListImageReferrers: 'UnableToListUpstreamImageReferrersException',
  GetDownloadUrlForLayer: 'UnableToGetUpstreamLayerException',
};

/** Such an error's words; `undefined`: it has none of its own. */
export function contentWords(error: RegistryError, operation: string): Words | undefined {
  const known = byOperation[operation]?.[error.code];
  if (known !== undefined) return known;
  return error.detail?.['upstream'] === undefined ? undefined : upstreamErrors[operation];
}

function isIndex(manifest: unknown): boolean {
  return typeof manifest === 'string' && /"manifests"\s*:/.test(manifest);
}
