import { parseDigest } from '../../domain/names/digest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { layerDownloadPath } from '../../domain/names/registry-url.ts';
import { invalidParameter } from './errors.ts';
import type { LayerFailure } from './model.ts';
import { contentBytesMax, repositoryOfCall } from './parts.ts';
import type { EcrParts, EcrRows } from './parts.ts';

type Parts = Pick<
  EcrParts,
  'contentChanges' | 'imageContent' | 'layerDownloads' | 'places' | 'publicUrl'
>;

/** What clients are told to send at once; they may send up to twice as much. */
const partSize = 10 * 1024 * 1024;

/** Layers: whether they are there, and pushes of them in parts. */
export function layerRows(parts: Parts): EcrRows {
  return {
    ...availabilityRow(parts),
    ...downloadRow(parts),
    ...uploadRows(parts),
    ...completeRow(parts),
  };
}

function availabilityRow({ imageContent }: Parts): EcrRows {
  return {
    BatchCheckLayerAvailability: {
      changes: false,
      answer: async (input, asking) => {
        const digests: Digest[] = [];
        const failures: LayerFailure[] = [];
        for (const layerDigest of new Set(input.layerDigests)) {
          const digest = parseDigest(layerDigest);
          if (digest === undefined)
            failures.push({
              layerDigest,
              failureCode: 'InvalidLayerDigest',
              failureReason: 'Invalid request parameters: not a digest of sha256 or sha512',
            });
          else digests.push(digest);
        }
        const place = repositoryOfCall(asking, input);
        const layers = await imageContent.layers(asking, { ...place, digests }, asking);
        return {
          layers: layers.map(({ digest, available, size }) => ({
            layerDigest: digest,
            layerAvailability: available ? 'AVAILABLE' : 'UNAVAILABLE',
            layerSize: size,
          })),
          failures,
        };
      },
    },
  };
}

/** The URL leads to this server, which needs no credentials beside it. */
function downloadRow({ layerDownloads, publicUrl }: Parts): EcrRows {
  return {
    GetDownloadUrlForLayer: {
      changes: false,
      answer: async (input, asking) => {
        const { layerDigest } = input;
        const digest = parseDigest(layerDigest);
        if (digest === undefined)
          throw invalidParameter('layerDigest', 'must be a digest of sha256 or sha512');
        const layer = { ...repositoryOfCall(asking, input), digest };
        const ticket = await layerDownloads.grant(asking, layer, asking);
        const downloadUrl = `${publicUrl() || asking.origin}${layerDownloadPath}${ticket}`;
        return { downloadUrl, layerDigest };
      },
    },
  };
}

function uploadRows({ contentChanges, places }: Parts): EcrRows {
  return {
    InitiateLayerUpload: {
      changes: true,
      answer: async (input, asking) => {
        const place = places.place(repositoryOfCall(asking, input), asking);
        const begun = await contentChanges.startUpload(asking, place, 'sha256');
        if (begun.kind !== 'upload') throw new Error('nothing was to be mounted');
        return { uploadId: begun.upload.id, partSize };
      },
    },
    UploadLayerPart: {
      changes: true,
      bodyBytesMax: contentBytesMax,
      answer: async (input, asking) => {
        const { uploadId, partFirstByte: start, partLastByte: end, layerPartBlob } = input;
        if (end < start)
          throw invalidParameter('partLastByte', 'must not be less than partFirstByte');
        const named = repositoryOfCall(asking, input);
        const bytes = layerPartBlob.byteLength;
        const body = layerPartBlob instanceof Uint8Array ? onlyChunk(layerPartBlob) : layerPartBlob;
        const { size } = await contentChanges.appendUpload(
          asking,
          places.place(named, asking),
          uploadId,
          () => ({ range: { start, end }, bytes, body }),
          asking.signal,
        );
        return {
          registryId: named.account,
          repositoryName: named.repository,
          uploadId,
          lastByteReceived: size - 1,
        };
      },
    },
  };
}

function completeRow({ contentChanges, places }: Parts): EcrRows {
  return {
    CompleteLayerUpload: {
      changes: true,
      answer: async (input, asking) => {
        const { uploadId } = input;
        const named = repositoryOfCall(asking, input);
        const place = places.place(named, asking);
        const digest = layerOfCall(input.layerDigests);
        const upload = { id: uploadId, digest };
        await contentChanges.completeUpload(asking, place, upload, asking.signal);
        return {
          registryId: named.account,
          repositoryName: named.repository,
          uploadId,
          layerDigest: digest,
        };
      },
    },
  };
}

function layerOfCall(layerDigests: readonly string[]): Digest {
  const [said = '', ...others] = new Set(layerDigests);
  const digest = others.length === 0 ? parseDigest(said) : undefined;
  if (digest?.startsWith('sha256:') === true) return digest;
  throw invalidParameter('layerDigests', 'must be the one SHA-256 digest of the layer');
}

// oxlint-disable-next-line require-await
async function* onlyChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
