// The images that real tests pull: made once per machine, kept as a registry's storage folder beside the tools.
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startRegistry } from '../upstreams/registry.ts';
import { bigPackage, openDebianLayers, openMachineLayers } from './package-layers.ts';
import type { Layer, LayerSource } from './package-layers.ts';
import type { Architecture } from '../tools/debian-packages.ts';
import { pushBlob, pushManifest } from '../clients/registry-push.ts';
import type { PushedManifest } from '../clients/registry-push.ts';
import { findRegistry } from '../upstreams/registry.ts';
import { isSandboxed } from '../processes/sandbox.ts';
import { toolsFolder, withLock } from '../tools/tools.ts';
import { digestOf } from './digest.ts';

/** Raised whenever the content below changes. */
const version = 'v2';

/** One image by its name in the registry. */
export interface CorpusImage {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  /** Config and layers of a single image; empty for an index. */
  readonly blobs: readonly { readonly digest: string; readonly size: number }[];
  /** Digests of an index's children. */
  readonly children: readonly string[];
}

export interface Corpus {
  readonly origin: 'debian' | 'machine';
  readonly images: Readonly<Record<CorpusName, CorpusImage>>;
  /** A storage folder for `startRegistry({content})`. */
  readonly registryRoot: string;
  /** The file that holds a blob's or manifest's exact bytes. */
  blobFile(digest: string): string;
}

/** single: amd64 alone; index: amd64 and arm64; big: a 219 MB layer; the others as their names say. */
export type CorpusName =
  | 'single'
  | 'index'
  | 'big'
  | 'dockerImage'
  | 'dockerList'
  | 'artifact'
  | 'nested'
  | 'noMediaType'
  | 'foreign'
  | 'pause'
  | 'hello';

export const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerForeignLayer: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
} as const;

/** The corpus, building it on the first call of a machine (a minute or so); `missing` says why it can't be had. */
export async function loadCorpus(): Promise<Corpus | { readonly missing: string }> {
  const folder = join(toolsFolder(), `images-${version}`);
  const there = await readCorpus(folder);
  if (there !== undefined) return there;
  if (isSandboxed())
    return { missing: 'the images are not made, and a sandbox cannot fetch packages' };
  const registry = await findRegistry();
  if ('missing' in registry) return registry;
  return await withLock(`images-${version}`, async () => {
    const meanwhile = await readCorpus(folder);
    if (meanwhile !== undefined) return meanwhile;
    await buildCorpus(folder);
    return (await readCorpus(folder)) ?? { missing: 'the images could not be read back' };
  });
}

async function readCorpus(folder: string): Promise<Corpus | undefined> {
  try {
    const text = await readFile(join(folder, 'images.json'), 'utf8');
    const { origin, images } = JSON.parse(text) as Pick<Corpus, 'origin' | 'images'>;
    const registryRoot = join(folder, 'registry');
    return {
      origin,
      images,
      registryRoot,
      blobFile(digest) {
        const hex = digest.slice('sha256:'.length);
        const blobs = join(registryRoot, 'docker', 'registry', 'v2', 'blobs', 'sha256');
        return join(blobs, hex.slice(0, 2), hex, 'data');
      },
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function buildCorpus(folder: string): Promise<void> {
  const temporary = await mkdtemp(`${folder}.building-`);
  try {
    const work = join(temporary, 'work');
    await mkdir(work);
    const debian = await openDebianLayers(work);
    if ('missing' in debian) {
      console.error(
        `images are made of this machine's own files, not of packages: ${debian.missing}`,
      );
    }
    const source = 'missing' in debian ? await openMachineLayers(work) : debian;
    console.error('making the images that tests pull (once per machine)');
    const registryRoot = join(temporary, 'registry');
    const registry = await startRegistry({ root: registryRoot });
    try {
      const images = await pushAll(registry.url, source);
      await writeFile(
        join(temporary, 'images.json'),
        JSON.stringify({ origin: source.origin, images }, undefined, 2),
      );
    } finally {
      await registry.stop();
    }
    await rm(work, { recursive: true });
    await rename(temporary, folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

interface Kinds {
  readonly manifest: string;
  readonly config: string;
  readonly layer: string;
}

const oci: Kinds = mediaTypes;
const docker: Kinds = {
  manifest: mediaTypes.dockerManifest,
  config: mediaTypes.dockerConfig,
  layer: mediaTypes.dockerLayer,
};

/** Pushes every image; the order matters only where one names another. */
async function pushAll(url: string, source: LayerSource): Promise<Record<CorpusName, CorpusImage>> {
  const busybox: Record<Architecture, Layer> = {
    amd64: await source.layer('busybox-static', 'amd64', 6),
    arm64: await source.layer('busybox-static', 'arm64', 6),
  };
  const hello = {
    amd64: await source.layer('hello', 'amd64', 6),
    arm64: await source.layer('hello', 'arm64', 6),
  };
  const image = async (
    repository: string,
    tag: string | undefined,
    architecture: Architecture,
    layers: readonly Layer[],
    kinds: Kinds = oci,
    change: (manifest: Record<string, unknown>) => object = (manifest) => manifest,
  ): Promise<CorpusImage> => {
    const { manifest, blobs } = await pushParts(url, repository, architecture, layers, kinds);
    const pushed = await pushManifest(url, repository, kinds.manifest, change(manifest), tag);
    return { ...found(repository, tag, pushed), blobs };
  };
  const pair = async (
    repository: string,
    tag: string,
    layers: Record<Architecture, Layer>,
    kinds: Kinds = oci,
  ): Promise<CorpusImage> => {
    const amd64 = await image(repository, undefined, 'amd64', [layers.amd64], kinds);
    const arm64 = await image(repository, undefined, 'arm64', [layers.arm64], kinds);
    const type = kinds === oci ? mediaTypes.index : mediaTypes.dockerList;
    return await pushIndex(url, repository, tag, type, [
      { image: amd64, platform: { architecture: 'amd64', os: 'linux' } },
      { image: arm64, platform: { architecture: 'arm64', os: 'linux', variant: 'v8' } },
    ]);
  };
  const index = await pair('library/busybox', '1.36', busybox);
  const both = { amd64: [busybox.amd64, hello.amd64], arm64: [busybox.arm64, hello.arm64] };
  const big = await source.layer(bigPackage, 'amd64', 0);
  return {
    single: await image('library/busybox', 'single', 'amd64', both.amd64),
    index,
    big: await image('library/big', '1', 'amd64', [busybox.amd64, big]),
    dockerImage: await image('library/docker', 'image', 'amd64', both.amd64, docker),
    dockerList: await pair('library/docker', 'list', busybox, docker),
    artifact: await pushArtifact(url, index),
    nested: await pushNested(url, await pair('library/nested', 'inner', hello)),
    noMediaType: await image('library/plain', '1', 'arm64', both.arm64, oci, (manifest) => {
      const { mediaType: _absent, ...rest } = manifest;
      return rest;
    }),
    foreign: await image('library/foreign', '1', 'amd64', [busybox.amd64], docker, addForeignLayer),
    pause: await pair('pause', '3.9', hello),
    hello: await pair('library/hello', '1', hello),
  };
}

async function pushParts(
  url: string,
  repository: string,
  architecture: Architecture,
  layers: readonly Layer[],
  kinds: Kinds,
): Promise<{ manifest: Record<string, unknown>; blobs: CorpusImage['blobs'] }> {
  const config = Buffer.from(
    JSON.stringify({
      created: '2026-01-01T00:00:00Z',
      architecture,
      ...(architecture === 'arm64' ? { variant: 'v8' } : {}),
      os: 'linux',
      config: { Env: ['PATH=/usr/bin:/bin'], Cmd: ['/bin/busybox', 'true'] },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    }),
  );
  const described = { digest: digestOf(config), size: config.byteLength };
  await pushBlob(url, repository, described.digest, config);
  for (const layer of layers) await pushBlob(url, repository, layer.digest, layer);
  const blobs = [described, ...layers.map(({ digest, size }) => ({ digest, size }))];
  const manifest = {
    schemaVersion: 2,
    mediaType: kinds.manifest,
    config: { mediaType: kinds.config, ...described },
    layers: layers.map(({ digest, size }) => ({ mediaType: kinds.layer, size, digest })),
  };
  return { manifest, blobs };
}

function found(repository: string, tag: string | undefined, pushed: PushedManifest): CorpusImage {
  const { digest, mediaType, size } = pushed;
  return { repository, tag: tag ?? '', digest, mediaType, size, blobs: [], children: [] };
}

async function pushIndex(
  url: string,
  repository: string,
  tag: string,
  mediaType: string,
  children: readonly { readonly image: CorpusImage; readonly platform?: object }[],
): Promise<CorpusImage> {
  const manifests = children.map(({ image: { digest, size, mediaType: type }, platform }) => ({
    mediaType: type,
    digest,
    size,
    ...(platform === undefined ? {} : { platform }),
  }));
  const index = { schemaVersion: 2, mediaType, manifests };
  const pushed = await pushManifest(url, repository, mediaType, index, tag);
  return {
    ...found(repository, tag, pushed),
    children: children.map(({ image }) => image.digest),
  };
}

async function pushNested(url: string, inner: CorpusImage): Promise<CorpusImage> {
  return await pushIndex(url, 'library/nested', '1', mediaTypes.index, [{ image: inner }]);
}

/** A signature-like artifact that refers to `subject`, with the fallback tag of registries without the referrers API. */
async function pushArtifact(url: string, subject: CorpusImage): Promise<CorpusImage> {
  const { repository } = subject;
  const empty = Buffer.from('{}');
  const note = Buffer.from('A note on the image that it refers to.\n');
  await pushBlob(url, repository, digestOf(empty), empty);
  await pushBlob(url, repository, digestOf(note), note);
  const emptyType = 'application/vnd.oci.empty.v1+json';
  const artifactType = 'application/vnd.example.note.v1';
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType,
    config: { mediaType: emptyType, digest: digestOf(empty), size: empty.byteLength },
    layers: [{ mediaType: 'text/plain', digest: digestOf(note), size: note.byteLength }],
    subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
    annotations: { 'org.example.note': 'one' },
  };
  const pushed = await pushManifest(url, repository, mediaTypes.manifest, manifest);
  const { digest, size, mediaType } = pushed;
  const referrers = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [{ mediaType, digest, size, artifactType, annotations: manifest.annotations }],
  };
  const fallbackTag = subject.digest.replace(':', '-');
  await pushManifest(url, repository, mediaTypes.index, referrers, fallbackTag);
  return {
    ...found(repository, undefined, pushed),
    blobs: [
      { digest: digestOf(empty), size: empty.byteLength },
      { digest: digestOf(note), size: note.byteLength },
    ],
  };
}

/** As Windows base layers are: named with `urls`, not in the registry. */
function addForeignLayer(manifest: Record<string, unknown>): object {
  const layers = manifest['layers'] as object[];
  const foreign = {
    mediaType: mediaTypes.dockerForeignLayer,
    size: 1234,
    digest: digestOf('a layer that lives elsewhere'),
    urls: ['https://layers.invalid/base.tar.gz'],
  };
  return { ...manifest, layers: [foreign, ...layers] };
}
