import type { Digest } from '../names/digest.ts';

/** A descriptor as far as Breakwater reads it; unknown fields stay in the manifest's exact bytes. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes, as claimed. */
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  /** Present on layers whose bytes live elsewhere; never fetched. */
  readonly urls?: readonly string[];
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** What was read from a manifest's bytes, which themselves are kept and returned exact. */
export interface Manifest {
  readonly mediaType: string;
  /** `index`: children are manifests, and those that are blobs by their media type are layers; `image`: config and layers (an OCI artifact manifest's blobs are layers); `opaque`: JSON of another kind, no children read. */
  readonly kind: 'index' | 'image' | 'opaque';
  readonly manifests: readonly Descriptor[];
  readonly config: Descriptor | undefined;
  readonly layers: readonly Descriptor[];
  readonly subject: Descriptor | undefined;
  /** The referrers' `artifactType`: the field, else for an image the config's media type (distribution-spec, "Listing Referrers"). */
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

/**
 * A layer that its registry need not have, so that it is neither fetched unasked nor missed: one with `urls`, or of a type that
 * is not distributed (image-spec, "Non-Distributable Layers"; Docker's foreign layers).
 */
export function livesElsewhere({ urls = [], mediaType }: Descriptor): boolean {
  return urls.length > 0 || /\.(?:foreign|nondistributable)\./.test(mediaType);
}

/** Bytes. */
export const manifestBytesMax: number = 4 * 1024 * 1024;
