import { digestOf } from '../support/samples/digest.ts';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { openStage } from '../support/upstreams/stage.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Content that the liar knows by name alone. */
export interface Target {
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  /** Pushed, and closed to others: not even its size is told. */
  readonly secret: boolean;
}

/** A registry that says it has everything, and has nothing of it. */
export interface LyingUpstream extends AsyncDisposable {
  readonly url: string;
  /** What it claims to have from now on. */
  readonly targets: Target[];
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const blobBytesMax = 1_000_000;
const issuedMax = 1000;

/**
 * Answers HEAD of anything with 200 and a size, manifests that name others' content, and blobs with wrong bytes, of wrong
 * lengths, or with a first byte and then nothing. It never says a secret's true size nor sends true bytes.
 */
export async function createLyingUpstream(random: SeededRandom): Promise<LyingUpstream> {
  const targets: Target[] = [];
  const issued = new Map<string, Buffer>();
  const stage = await openStage((request, response) => {
    lie({ request, response, random, targets, issued });
  });
  return { url: stage.url, targets, [Symbol.asyncDispose]: () => stage[Symbol.asyncDispose]() };
}

interface Lie {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly random: SeededRandom;
  readonly targets: readonly Target[];
  readonly issued: Map<string, Buffer>;
}

function lie(telling: Lie): void {
  const { request, response } = telling;
  const [path = ''] = (request.url ?? '').split('?', 1);
  const [, kind, reference = ''] = /\/(manifests|blobs|referrers)\/([^/]+)$/.exec(path) ?? [];
  if (kind === 'manifests') lieOfManifest(telling, reference);
  else if (kind === 'blobs') lieOfBlob(telling, reference);
  else if (kind === 'referrers') sendBody(telling, manifestOf(telling, 'manifests'), manifestType);
  else response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
}

function lieOfManifest(telling: Lie, reference: string): void {
  const { issued } = telling;
  const body = issued.get(reference) ?? manifestOf(telling, 'layers');
  const digest = digestOf(body);
  if (issued.size < issuedMax) issued.set(digest, body);
  sendBody(telling, body, manifestType, { 'docker-content-digest': digest });
}

/** Names some of what others have; a descriptor is the true one, or has another size. */
function manifestOf({ random, targets }: Lie, field: 'layers' | 'manifests'): Buffer {
  const named = targets.length === 0 ? [] : [0, 1, 2].map(() => random.pick(targets));
  const described = named.map((target) => ({
    mediaType: 'application/vnd.oci.image.layer.v1.tar',
    digest: target.digest,
    size: falseSize(random, target),
    ...(random.chance(0.2) ? { urls: ['http://127.0.0.1:9/elsewhere'] } : {}),
  }));
  const [config = described[0]] = described;
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      ...(field === 'layers' && config !== undefined ? { config } : {}),
      [field]: described,
      annotations: { lie: String(random.below(1e9)) },
    }),
  );
}

/** Of public content it may be the true one. */
function falseSize(random: SeededRandom, { size, secret }: Target): number {
  if (!secret && random.chance(0.5)) return size;
  return random.pick([0, size - 1, size + 1, 7].filter((each) => each >= 0 && each !== size));
}

function lieOfBlob({ request, response, random, targets }: Lie, digest: string): void {
  const target = targets.find((each) => each.digest === digest);
  const size = Math.min(
    blobBytesMax,
    target === undefined ? random.below(50_000) : falseSize(random, target),
  );
  const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const length = Math.max(0, size - start);
  const partial = request.headers.range !== undefined && length > 0 && random.chance(0.8);
  response.writeHead(partial ? 206 : 200, {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    'content-length': partial ? length : size,
    ...(partial ? { 'content-range': `bytes ${start}-${size - 1}/${size}` } : {}),
  });
  const body = Buffer.alloc(partial ? length : size, random.below(256));
  if (request.method === 'HEAD') response.end();
  else if (random.chance(0.4)) response.end(body);
  // A first byte, and then nothing: until the other side gives up, or at once.
  else if (random.chance(0.5)) response.write(body.subarray(0, 1));
  else response.write(body.subarray(0, body.length >> 1), () => response.destroy());
}

function sendBody(
  { request, response }: Lie,
  body: Buffer,
  type: string,
  more: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(200, { 'content-type': type, 'content-length': body.length, ...more });
  response.end(request.method === 'HEAD' ? undefined : body);
}
