import { homeRegistry } from '../../support/samples/home-registry.ts';
import type { RegistryKey, RepositoryKey } from '../../../src/domain/names/registry.ts';
import type { RepositoryName } from '../../../src/domain/names/repository-name.ts';
import type { Tag } from '../../../src/domain/names/tag.ts';
import type { Metadata } from '../../../src/metadata/contract/metadata.ts';
import type {
  PutManifestInput,
  PutManifestResult,
  StoredManifest,
  StoreManifestInput,
} from '../../../src/metadata/contract/rows.ts';
import { digestOf } from '../../support/samples/digest.ts';

export const home: RegistryKey = homeRegistry;

export function keyOf(repository: string): RepositoryKey {
  return { registry: home, repository: repository as RepositoryName };
}

export function tagOf(text: string): Tag {
  return text as Tag;
}

/** An image of one config and two layers, told from others by `content`. */
export function manifestInput(
  repository: string,
  content: string,
  options: { readonly tag?: string } = {},
): StoreManifestInput {
  // A view into a larger buffer, as bytes come from a socket.
  const bytes = new Uint8Array(
    new TextEncoder().encode(`....{"schemaVersion":2,"content":"${content}"}`).buffer,
    4,
  );
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  return {
    ...keyOf(repository),
    manifest: { digest: digestOf(bytes), mediaType, bytes },
    parsed: {
      mediaType,
      kind: 'image',
      manifests: [],
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: digestOf(`config ${content}`),
        size: 10,
      },
      layers: ['base', content].map((layer) => ({
        mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
        digest: digestOf(`layer ${layer}`),
        size: 100,
      })),
      subject: undefined,
      artifactType: undefined,
      annotations: undefined,
    },
    rule: 'samples',
    private: false,
    now: 1000,
    ...(options.tag === undefined
      ? {}
      : {
          tag: {
            tag: tagOf(options.tag),
            source: 'https://registry.test/nginx',
            validatedAt: 1000,
          },
        }),
  };
}

/** The same image as it is pushed. */
export function pushInput(
  repository: string,
  content: string,
  options: { readonly tags?: readonly string[]; readonly now?: number } = {},
): PutManifestInput {
  const { manifest, parsed } = manifestInput(repository, content);
  return {
    ...keyOf(repository),
    manifest,
    parsed,
    tags: (options.tags ?? []).map(tagOf),
    create: true,
    sparse: false,
    provenance: 'pushed',
    rule: 'samples',
    now: options.now ?? 1000,
  };
}

/** What is found of it. */
export function pushedManifest(input: PutManifestInput): StoredManifest {
  return { ...input.manifest, provenance: 'pushed' };
}

/** An index of the manifests, each with its size. */
export function indexInput(
  repository: string,
  children: readonly Pick<PutManifestInput, 'manifest'>[],
  options: { readonly tags?: readonly string[]; readonly now?: number } = {},
): PutManifestInput {
  const content = children.map((child) => child.manifest.digest).join();
  const image = pushInput(repository, `index of ${content}`, options);
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  return {
    ...image,
    manifest: { ...image.manifest, mediaType },
    parsed: {
      ...image.parsed,
      mediaType,
      kind: 'index',
      config: undefined,
      layers: [],
      manifests: children.map(({ manifest }) => ({
        mediaType: manifest.mediaType,
        digest: manifest.digest,
        size: manifest.bytes.byteLength,
      })),
    },
  };
}

/** Pushes config and layers, then the manifest. */
export async function push(
  metadata: Metadata,
  input: PutManifestInput,
): Promise<PutManifestResult> {
  const { config, layers } = input.parsed;
  for (const { digest } of [...(config ? [config] : []), ...layers]) {
    await metadata.blobs.holdBlob({ ...input, digest, create: true });
  }
  return metadata.manifests.putManifest(input);
}
