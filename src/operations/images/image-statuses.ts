import type { Asker } from '../../access/access.ts';
import type { Registry } from '../../domain/names/registry.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { destinationsOf } from '../../domain/registries/replication.ts';
import { profilesOf } from '../../domain/registries/signing.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { ImageId, ImageListings } from './image-listings.ts';
import type { Places, RepositoryInput } from '../places.ts';
import type { RegistryConfigurations } from '../registries/registry-configurations.ts';

export interface ImageInput extends RepositoryInput {
  readonly image: ImageId;
}

/**
 * What was configured to be done with one image. Nothing of it is done by this server: whatever is answered here has failed.
 * Each throws `manifestUnknown` for an image that is not held.
 */
export interface ImageStatuses {
  /** Where the image should have been copied to. */
  replication(asker: Asker, input: ImageInput): Promise<readonly Registry[]>;
  /** ARNs of the profiles that should have signed it. */
  signing(asker: Asker, input: ImageInput): Promise<readonly string[]>;
  /** The image that a scan, or its findings, are asked of. */
  scanned(asker: Asker, input: ImageInput & { readonly start: boolean }): Promise<Digest>;
  /** The image whose storage class is asked to be another. */
  stored(asker: Asker, input: ImageInput): Promise<Digest>;
}

export interface ImageStatusesParts {
  readonly imageListings: Pick<ImageListings, 'find'>;
  readonly places: Places;
  readonly registryConfigurations: Pick<RegistryConfigurations, 'kept'>;
}

export function createImageStatuses({
  imageListings,
  places,
  registryConfigurations,
}: ImageStatusesParts): ImageStatuses {
  return {
    replication: async (asker, input) => {
      await imageListings.find(asker, {
        ...input,
        action: actions.describeImageReplicationStatus,
      });
      const { replication } = await registryConfigurations.kept(places.registry(input, asker));
      return destinationsOf(replication, input.repository);
    },
    signing: async (asker, input) => {
      await imageListings.find(asker, { ...input, action: actions.describeImageSigningStatus });
      const { signing } = await registryConfigurations.kept(places.registry(input, asker));
      return profilesOf(signing, input.repository);
    },
    scanned: (asker, { start, ...input }) =>
      imageListings.find(asker, {
        ...input,
        action: start ? actions.startImageScan : actions.describeImageScanFindings,
      }),
    stored: (asker, input) =>
      imageListings.find(asker, { ...input, action: actions.updateImageStorageClass }),
  };
}
