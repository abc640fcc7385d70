// Every kind of manifest that is pushed, with what it refers to pushed before it.
import { randomBytes } from 'node:crypto';
import { mediaTypes } from '../../../src/domain/manifests/media-type.ts';
import { descriptorOf } from '../clients/registry-client.ts';
import type { Algorithm, Descriptor, RegistryClient } from '../clients/registry-client.ts';
import { digestOf } from './digest.ts';

export const emptyType = 'application/vnd.oci.empty.v1+json';
export const artifactType = 'application/vnd.example.thing.v1';

export interface ManifestKind {
  readonly name: string;
  readonly make: (
    client: RegistryClient,
    repository: string,
    algorithm: Algorithm,
  ) => Promise<object>;
}

/** An artifact: the empty config, and layers as they are given; by default one of a few bytes. */
export async function artifact(
  client: RegistryClient,
  repository: string,
  change: object = {},
  algorithm: Algorithm = 'sha256',
): Promise<object> {
  const layer = randomBytes(32);
  await client.pushBlob(repository, '{}', algorithm);
  await client.pushBlob(repository, layer, algorithm);
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType,
    config: descriptorOf(emptyType, '{}', algorithm),
    layers: [descriptorOf(artifactType, layer, algorithm)],
    ...change,
  };
}

/** An index of images that are pushed by their digests. */
export async function index(
  client: RegistryClient,
  repository: string,
  change: object = {},
  algorithm: Algorithm = 'sha256',
): Promise<object> {
  const manifests: object[] = [];
  for (const architecture of ['amd64', 'arm64']) {
    const image = await client.image(repository, {}, algorithm);
    const child = await client.pushManifest(repository, image, { algorithm });
    manifests.push({ ...plain(child), platform: { os: 'linux', architecture } });
  }
  return indexOf(manifests, change);
}

export function indexOf(manifests: readonly object[], change: object = {}): object {
  return { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests, ...change };
}

/** What a descriptor holds, of something that holds more. */
export function plain({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

/** A blob of each type, pushed. */
async function blobsOf(
  types: readonly string[],
  client: RegistryClient,
  repository: string,
  algorithm: Algorithm,
): Promise<object[]> {
  const blobs: object[] = [];
  for (const type of types) {
    const bytes = randomBytes(32);
    await client.pushBlob(repository, bytes, algorithm);
    blobs.push(descriptorOf(type, bytes, algorithm));
  }
  return blobs;
}

const foreign = 'a layer that nobody pushed';

export const manifestKinds: readonly ManifestKind[] = [
  {
    name: 'an image',
    make: (client, repository, algorithm) => client.image(repository, {}, algorithm),
  },
  {
    name: 'an image without layers',
    make: (client, repository, algorithm) => client.image(repository, { layers: [] }, algorithm),
  },
  {
    name: 'an image with fields that are unknown',
    make: (client, repository, algorithm) =>
      client.image(
        repository,
        { 'org.example': { deep: [1, null] }, annotations: { a: '漢字 🐳' } },
        algorithm,
      ),
  },
  {
    name: 'an image whose descriptors hold data',
    async make(client, repository, algorithm) {
      await client.pushBlob(repository, '{}', algorithm);
      const config = { ...descriptorOf(emptyType, '{}', algorithm), data: 'e30=' };
      return await client.image(repository, { config, layers: [] }, algorithm);
    },
  },
  {
    name: 'an image with layers that are not distributable',
    async make(client, repository, algorithm) {
      const layer = {
        ...descriptorOf(
          'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
          foreign,
          algorithm,
        ),
        urls: ['https://store.example.com/layer'],
      };
      return await client.image(repository, { layers: [layer] }, algorithm);
    },
  },
  {
    name: "Docker's image manifest, schema 2",
    async make(client, repository, algorithm) {
      const config = descriptorOf(
        'application/vnd.docker.container.image.v1+json',
        '{}',
        algorithm,
      );
      await client.pushBlob(repository, '{}', algorithm);
      const mediaType = mediaTypes.dockerManifest;
      return await client.image(repository, { mediaType, config }, algorithm);
    },
  },
  {
    name: "Docker's image manifest with a foreign layer",
    make: (client, repository, algorithm) =>
      client.image(
        repository,
        {
          mediaType: mediaTypes.dockerManifest,
          layers: [
            {
              ...descriptorOf(
                'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
                foreign,
                algorithm,
              ),
              urls: ['https://store.example.com/layer'],
            },
          ],
        },
        algorithm,
      ),
  },
  {
    name: 'an index',
    make: (client, repository, algorithm) => index(client, repository, {}, algorithm),
  },
  { name: 'an empty index', make: () => Promise.resolve(indexOf([])) },
  {
    name: 'an index of indexes',
    async make(client, repository, algorithm) {
      const children: object[] = [];
      for (const annotations of [{ a: '1' }, { a: '2' }]) {
        const inner = await index(client, repository, { annotations }, algorithm);
        children.push(plain(await client.pushManifest(repository, inner, { algorithm })));
      }
      return indexOf(children);
    },
  },
  {
    name: "Docker's manifest list",
    make: (client, repository, algorithm) =>
      index(client, repository, { mediaType: mediaTypes.dockerList }, algorithm),
  },
  {
    name: 'an artifact',
    make: (client, repository, algorithm) => artifact(client, repository, {}, algorithm),
  },
  {
    name: 'an artifact without layers of its own',
    make: (client, repository, algorithm) =>
      artifact(
        client,
        repository,
        { layers: [descriptorOf(emptyType, '{}', algorithm)] },
        algorithm,
      ),
  },
  {
    name: 'an artifact whose config has its type',
    make: (client, repository, algorithm) =>
      artifact(
        client,
        repository,
        { artifactType: undefined, config: descriptorOf(artifactType, '{}', algorithm) },
        algorithm,
      ),
  },
  {
    name: 'an index that is an artifact',
    make: (client, repository, algorithm) => index(client, repository, { artifactType }, algorithm),
  },
  {
    name: "BuildKit's cache as an index, whose children are layers and a config",
    async make(client, repository, algorithm) {
      const types = [
        'application/vnd.oci.image.layer.v1.tar+gzip',
        'application/vnd.oci.image.layer.v1.tar+zstd',
        'application/vnd.docker.image.rootfs.diff.tar.gzip',
        'application/vnd.buildkit.cacheconfig.v0',
      ];
      return indexOf(await blobsOf(types, client, repository, algorithm));
    },
  },
  {
    name: 'an index of blobs whose type nobody knows',
    make: async (client, repository, algorithm) =>
      indexOf(await blobsOf(['application/x-thing'], client, repository, algorithm)),
  },
  {
    name: 'an image with a subject that is not there',
    make: (client, repository, algorithm) =>
      client.image(
        repository,
        {
          subject: {
            mediaType: mediaTypes.ociManifest,
            digest: digestOf('nowhere', algorithm),
            size: 7,
          },
        },
        algorithm,
      ),
  },
];
