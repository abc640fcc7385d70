// Pushes exact bytes to a registry over HTTP: what no client would make (a missing mediaType, a foreign layer) as well.
import { createReadStream } from 'node:fs';
import { request } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { IncomingMessage } from 'node:http';
import { digestOf } from '../samples/digest.ts';

export interface PushedManifest {
  readonly digest: string;
  readonly size: number;
  readonly mediaType: string;
  /** The exact bytes. */
  readonly body: string;
}

/** Puts a blob from a file or from bytes, unless the repository holds it. */
export async function pushBlob(
  registryUrl: string,
  repository: string,
  digest: string,
  content: { readonly file: string; readonly size: number } | Uint8Array,
): Promise<void> {
  const held = await fetch(`${registryUrl}/v2/${repository}/blobs/${digest}`, { method: 'HEAD' });
  if (held.ok) return;
  const start = await fetch(`${registryUrl}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  await start.arrayBuffer();
  const location = start.headers.get('location');
  if (start.status !== 202 || location === null) throw new Error(`upload start: ${start.status}`);
  const url = new URL(location, registryUrl);
  url.searchParams.set('digest', digest);
  const size = content instanceof Uint8Array ? content.byteLength : content.size;
  const put = request(url, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) },
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    put.on('response', resolve);
    put.on('error', reject);
  });
  if (content instanceof Uint8Array) put.end(content);
  else await pipeline(createReadStream(content.file), put);
  const answer = await answered;
  answer.resume();
  if (answer.statusCode !== 201) throw new Error(`blob ${digest}: ${answer.statusCode}`);
}

/** Puts a manifest under `reference`, or under its digest where there is none. */
export async function pushManifest(
  registryUrl: string,
  repository: string,
  mediaType: string,
  manifest: object | string,
  reference?: string,
): Promise<PushedManifest> {
  const body = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
  const digest = digestOf(body);
  const answer = await fetch(`${registryUrl}/v2/${repository}/manifests/${reference ?? digest}`, {
    method: 'PUT',
    headers: { 'content-type': mediaType },
    body,
  });
  const text = await answer.text();
  if (answer.status !== 201) {
    throw new Error(`manifest ${repository}:${reference ?? digest}: ${answer.status} ${text}`);
  }
  return { digest, size: Buffer.byteLength(body), mediaType, body };
}

/** A one-layer image of a few bytes, made on the spot: what a test pushes to move a tag. */
export async function pushTinyImage(
  registryUrl: string,
  repository: string,
  reference: string,
  content: string,
): Promise<PushedManifest & { readonly layer: string; readonly config: string }> {
  const layerBytes = Buffer.from(content);
  const layer = digestOf(layerBytes);
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [layer] },
    }),
  );
  await pushBlob(registryUrl, repository, layer, layerBytes);
  await pushBlob(registryUrl, repository, digestOf(config), config);
  const pushed = await pushManifest(
    registryUrl,
    repository,
    'application/vnd.oci.image.manifest.v1+json',
    {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: digestOf(config),
        size: config.byteLength,
      },
      layers: [
        {
          mediaType: 'application/vnd.oci.image.layer.v1.tar',
          digest: layer,
          size: layerBytes.byteLength,
        },
      ],
    },
    reference,
  );
  return { ...pushed, layer, config: digestOf(config) };
}
