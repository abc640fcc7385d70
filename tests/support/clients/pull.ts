// Plain HTTP pulls with everything visible: status, headers, exact bytes, and whether the answer came whole.
import { Agent, request } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { createHash } from 'node:crypto';
import { mediaTypes } from '../samples/images.ts';
import { digestOf } from '../samples/digest.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Empty with `discard`. */
  readonly body: Buffer;
  readonly length: number;
  /** Of the bytes that came. */
  readonly digest: string;
  /** False where the connection ended before Content-Length or the last chunk. */
  readonly complete: boolean;
  readonly ms: number;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the request from the client's side. */
  readonly signal?: AbortSignal;
  /** Leaves after so many body bytes. */
  readonly leaveAfter?: number;
  /** Counts and hashes the body without keeping it. */
  readonly discard?: boolean;
  /** Reads no faster than this, by stopping between chunks. */
  readonly bytesPerSecond?: number;
}

/** One request on a connection of its own; throws only where there is no answer at all. */
export async function ask(url: string, options: AskOptions = {}): Promise<Answer> {
  const started = performance.now();
  const agent = new Agent({ keepAlive: false });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const asked = request(url, {
    agent,
    method: options.method ?? 'GET',
    headers: { ...options.headers },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  asked.on('response', resolve);
  asked.on('error', reject);
  asked.end();
  const from = await promise;
  const parts: Buffer[] = [];
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const part of from as AsyncIterable<Buffer>) {
      if (options.discard !== true) parts.push(part);
      hash.update(part);
      bytes += part.length;
      if (options.leaveAfter !== undefined && bytes >= options.leaveAfter) break;
      if (options.bytesPerSecond !== undefined) await pace(started, bytes, options.bytesPerSecond);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_ASSERTION') throw error;
  }
  asked.destroy();
  return {
    status: from.statusCode ?? 0,
    headers: from.headers,
    body: Buffer.concat(parts),
    length: bytes,
    digest: `sha256:${hash.digest('hex')}`,
    complete: from.complete,
    ms: performance.now() - started,
  };
}

async function pace(started: number, bytes: number, rate: number): Promise<void> {
  const wait = (bytes / rate) * 1000 - (performance.now() - started);
  if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
}

/** Every manifest type there is, as clients send. */
export const fullAccept: string = [
  mediaTypes.index,
  mediaTypes.manifest,
  mediaTypes.dockerList,
  mediaTypes.dockerManifest,
].join(', ');

export async function askManifest(
  base: string,
  name: string,
  reference: string,
  options: AskOptions = {},
): Promise<Answer> {
  const headers = { accept: fullAccept, ...options.headers };
  return await ask(`${base}/v2/${name}/manifests/${reference}`, { ...options, headers });
}

export async function askBlob(
  base: string,
  name: string,
  digest: string,
  options: AskOptions = {},
): Promise<Answer> {
  return await ask(`${base}/v2/${name}/blobs/${digest}`, options);
}

interface Descriptor {
  readonly digest: string;
  readonly size: number;
  readonly mediaType?: string;
}

interface ManifestBody {
  readonly manifests?: readonly Descriptor[];
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
}

export interface PulledImage {
  readonly digest: string;
  /** Digest → size of everything pulled. */
  readonly parts: ReadonlyMap<string, number>;
}

/** Pulls as a client does: the manifest, an index's first child, then every blob, with all digests checked. Throws otherwise. */
export async function pullImage(
  base: string,
  name: string,
  reference: string,
  options: Pick<AskOptions, 'headers'> = {},
): Promise<PulledImage> {
  const parts = new Map<string, number>();
  const place = { base, name, options };
  const top = await manifest(place, reference, parts);
  let inner = top;
  while (inner.body.manifests !== undefined) {
    const child = inner.body.manifests[0];
    if (child === undefined) break;
    inner = await manifest(place, child.digest, parts);
  }
  const wanted = [inner.body.config, ...(inner.body.layers ?? [])].filter(
    (each) => each !== undefined && !(each.mediaType ?? '').includes('foreign'),
  ) as Descriptor[];
  await Promise.all(
    wanted.map(async ({ digest, size }) => {
      const blob = await askBlob(base, name, digest, { ...options, discard: size > 1_000_000 });
      if (blob.status !== 200) throw new Error(`${digest}: ${blob.status} ${text(blob)}`);
      if (!blob.complete || blob.length !== size || blob.digest !== digest) {
        const how = `complete: ${blob.complete}, ${String(blob.headers['cache-status'])}`;
        throw new Error(`${digest}: ${blob.length} of ${size} bytes, ${how}`);
      }
      parts.set(digest, size);
    }),
  );
  return { digest: top.digest, parts };
}

async function manifest(
  {
    base,
    name,
    options,
  }: { readonly base: string; readonly name: string; readonly options: AskOptions },
  reference: string,
  parts: Map<string, number>,
): Promise<{ readonly digest: string; readonly body: ManifestBody }> {
  const answer = await askManifest(base, name, reference, options);
  if (answer.status !== 200)
    throw new Error(`${name}:${reference}: ${answer.status} ${text(answer)}`);
  const digest = digestOf(answer.body);
  if (answer.headers['docker-content-digest'] !== digest)
    throw new Error(`${reference}: wrong digest`);
  if (reference.startsWith('sha256:') && reference !== digest) throw new Error('other bytes');
  parts.set(digest, answer.body.length);
  return { digest, body: JSON.parse(answer.body.toString('utf8')) as ManifestBody };
}

/** The body as text, for messages. */
export function text(answer: Answer): string {
  return answer.body.subarray(0, 500).toString('utf8');
}

/** The first error's code and detail of a spec error body. */
export function errorOf(answer: Answer): { code: string; message: string; detail: unknown } {
  const body = JSON.parse(answer.body.toString('utf8')) as {
    errors: { code: string; message: string; detail: unknown }[];
  };
  const [first] = body.errors;
  if (first === undefined) throw new Error('no error in the body');
  return first;
}
