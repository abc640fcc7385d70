import { readFile } from 'node:fs/promises';
import type { Corpus } from './images.ts';
import { pushBlob, pushManifest } from '../clients/registry-push.ts';
import { digestOf } from './digest.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const configType = 'application/vnd.oci.image.config.v1+json';

/** What a pod's sandbox is made of: the corpus' busybox, asleep. Under `pause:3.10.1`, which must be of Debian's packages. */
export async function pushPauseImage(registryUrl: string, corpus: Corpus): Promise<void> {
  const { children } = corpus.images.index;
  const text = await readFile(corpus.blobFile(children[0] ?? ''), 'utf8');
  const child = JSON.parse(text) as {
    config: { digest: string };
    layers: readonly { digest: string; size: number }[];
  };
  const config = JSON.parse(await readFile(corpus.blobFile(child.config.digest), 'utf8')) as object;
  const bytes = Buffer.from(
    JSON.stringify({ ...config, config: { Entrypoint: ['/bin/busybox', 'sleep', '1000000'] } }),
  );
  for (const { digest, size } of child.layers)
    await pushBlob(registryUrl, 'pause', digest, { file: corpus.blobFile(digest), size });
  await pushBlob(registryUrl, 'pause', digestOf(bytes), bytes);
  const named = { mediaType: configType, digest: digestOf(bytes), size: bytes.length };
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: named,
    layers: child.layers,
  };
  await pushManifest(registryUrl, 'pause', manifestType, manifest, '3.10.1');
}
