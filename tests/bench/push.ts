import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { blobStream } from './synthetic-image.ts';
import type { SyntheticBlob, SyntheticImage } from './synthetic-image.ts';
import type { System } from './systems/system.ts';

/** Fills a peer that has no upstream: each blob in one PUT, then the manifest under its tag. */
export async function pushImage(system: System, image: SyntheticImage): Promise<void> {
  for (const blob of [image.config, ...image.layers]) await pushBlob(system, image, blob);
  await send(system, 'PUT', system.path(image.repository, `manifests/${image.tag}`), 201, {
    type: image.mediaType,
    length: image.manifest.length,
    body: [image.manifest],
  });
}

async function pushBlob(system: System, image: SyntheticImage, blob: SyntheticBlob): Promise<void> {
  const uploads = system.path(image.repository, 'blobs/uploads/');
  const begun = await send(system, 'POST', uploads, 202);
  const location = new URL(begun.headers.location ?? '', `http://${system.host}:${system.port}`);
  location.searchParams.set('digest', blob.digest);
  await send(system, 'PUT', `${location.pathname}${location.search}`, 201, {
    type: 'application/octet-stream',
    length: blob.size,
    body: blobStream(blob),
  });
}

async function send(
  system: System,
  method: string,
  path: string,
  expected: number,
  content?: { type: string; length: number; body: Iterable<Buffer> },
): Promise<IncomingMessage> {
  const outgoing = request({
    host: system.host,
    port: system.port,
    method,
    path,
    headers: {
      'content-length': content?.length ?? 0,
      ...(content && { 'content-type': content.type }),
    },
    signal: AbortSignal.timeout(60_000),
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
  });
  await pipeline(Readable.from(content?.body ?? []), outgoing);
  const response = await answered;
  response.resume();
  if (response.statusCode !== expected)
    throw new Error(`${system.name}: ${method} ${path} answered ${response.statusCode}`);
  return response;
}
