/** Manifest types that are asked for upstream and understood when stored. */
export const mediaTypes = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociArtifact: 'application/vnd.oci.artifact.manifest.v1+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerSchema1: 'application/vnd.docker.distribution.manifest.v1+json',
  dockerSchema1Signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
} as const;

const manifestTypes: ReadonlySet<string> = new Set(Object.values(mediaTypes));

const blobTypes =
  /^application\/vnd\.(?:oci\.image\.(?:layer\.|config\.)|oci\.empty\.|docker\.(?:image\.rootfs\.|container\.image\.)|buildkit\.cacheconfig\.)/;

/** What a descriptor of an index names: BuildKit's cache, in its index form, names layers and a config there. */
export function childKind(mediaType: string): 'manifest' | 'blob' | 'unknown' {
  if (manifestTypes.has(mediaType)) return 'manifest';
  return blobTypes.test(mediaType) ? 'blob' : 'unknown';
}

/** The one Accept that upstream is ever sent for manifests, so that the stored answer never depends on a client. */
export const manifestAccept: string = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerList,
  mediaTypes.dockerManifest,
  mediaTypes.ociArtifact,
  mediaTypes.dockerSchema1Signed,
  mediaTypes.dockerSchema1,
  '*/*',
].join(', ');
