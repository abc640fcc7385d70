import { request } from 'node:http';
import type { Agent, IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { blobStream } from './synthetic-image.ts';
import type { SyntheticBlob, SyntheticImage } from './synthetic-image.ts';
import type { System } from './systems/system.ts';

export interface PushTarget extends Pick<System, 'name' | 'host' | 'port' | 'path'> {
  /** The header's value; absent: pushed as nobody. */
  readonly authorization?: string;
  readonly agent?: Agent;
}

interface Content {
  readonly type: string;
  readonly length: number;
  readonly body: Iterable<Buffer>;
  /** Of a chunk. */
  readonly range?: string;
}

/** Each blob in one PUT, then the manifest under its tag. */
export async function pushImage(target: PushTarget, image: SyntheticImage): Promise<void> {
  for (const blob of [image.config, ...image.layers])
    await pushBlob(target, image.repository, blob);
  await send(target, 'PUT', target.path(image.repository, `manifests/${image.tag}`), 201, {
    type: image.mediaType,
    length: image.manifest.length,
    body: [image.manifest],
  });
}

/** POST and PUT, as most clients do it. */
export async function pushBlob(
  target: PushTarget,
  repository: string,
  blob: SyntheticBlob,
): Promise<void> {
  const location = await begin(target, repository);
  await send(target, 'PUT', withDigest(location, blob), 201, {
    type: 'application/octet-stream',
    length: blob.size,
    body: blobStream(blob),
  });
}

/** POST, a PATCH for each chunk, and a PUT without a body. */
export async function pushBlobInChunks(
  target: PushTarget,
  repository: string,
  blob: SyntheticBlob,
  chunkBytes: number,
): Promise<void> {
  let location = await begin(target, repository);
  for (let start = 0; start < blob.size; start += chunkBytes) {
    const end = Math.min(start + chunkBytes, blob.size);
    const answer = await send(target, 'PATCH', pathOf(location), 202, {
      type: 'application/octet-stream',
      length: end - start,
      range: `${start}-${end - 1}`,
      body: blobStream(blob, start, end),
    });
    location = locationOf(target, answer);
  }
  await send(target, 'PUT', withDigest(location, blob), 201);
}

/** That the registry does not have it, which clients ask before they push. */
export async function requireAbsent(
  target: PushTarget,
  repository: string,
  blob: SyntheticBlob,
): Promise<void> {
  await send(target, 'HEAD', target.path(repository, `blobs/${blob.digest}`), 404);
}

async function begin(target: PushTarget, repository: string): Promise<URL> {
  return locationOf(
    target,
    await send(target, 'POST', target.path(repository, 'blobs/uploads/'), 202),
  );
}

function locationOf({ host, port }: PushTarget, answer: IncomingMessage): URL {
  return new URL(answer.headers.location ?? '', `http://${host}:${port}`);
}

function pathOf(location: URL): string {
  return `${location.pathname}${location.search}`;
}

function withDigest(location: URL, blob: SyntheticBlob): string {
  const url = new URL(location);
  url.searchParams.set('digest', blob.digest);
  return pathOf(url);
}

async function send(
  target: PushTarget,
  method: string,
  path: string,
  expected: number,
  content?: Content,
): Promise<IncomingMessage> {
  const outgoing = request({
    host: target.host,
    port: target.port,
    method,
    path,
    ...(target.agent && { agent: target.agent }),
    headers: {
      'content-length': content?.length ?? 0,
      ...(content && { 'content-type': content.type }),
      ...(content?.range !== undefined && { 'content-range': content.range }),
      ...(target.authorization !== undefined && { authorization: target.authorization }),
    },
    signal: AbortSignal.timeout(300_000),
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('error', reject);
    outgoing.once('response', (response) => {
      response.resume();
      if (response.statusCode === expected) resolve(response);
      else reject(new Error(`${target.name}: ${method} ${path} answered ${response.statusCode}`));
    });
  });
  const sent = pipeline(Readable.from(content?.body ?? []), outgoing);
  const [response] = await Promise.all([answered, sent]);
  return response;
}
