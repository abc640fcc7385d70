import { createHash } from 'node:crypto';
import { algorithmOf, type Digest, parseDigest } from '../domain/digest.ts';
import { manifestBytesMax } from '../domain/manifest.ts';
import { manifestAccept, mediaTypes } from '../domain/media-type.ts';
import { formatReference, type Reference } from '../domain/reference.ts';
import type { UpstreamFailure } from '../domain/upstream-failure.ts';
import type { FetchedManifest, ManifestHead, UpstreamTarget } from '../ports/upstream.ts';
import { contentLengthOf, discard, readWhole } from './body-reading.ts';
import { askSmall, type Calls, received, small } from './calls.ts';
import { type Answer, headerOf } from './exchange.ts';
import { failure } from './failures.ts';
import { assertContent, failureOfStatus } from './statuses.ts';

/** The port's `headManifest`. */
export function headManifest(
  calls: Calls,
  target: UpstreamTarget,
  reference: Reference,
  signal: AbortSignal,
): Promise<ManifestHead> {
  return small(calls, target, signal, async (within) => {
    const asked = nameOf(target, reference);
    const answer = await request(calls, target, reference, 'HEAD', {}, within);
    if (answer.status !== 200)
      throw await failureOfStatus(answer, asked, target.url.host, calls.clock);
    assertContent(answer, asked, target.url.host);
    discard(answer, calls.clock);
    const digest = announcedDigest(answer);
    if (reference.kind === 'digest' && digest !== undefined && differs(reference.digest, digest)) {
      throw wrongDigest(asked, target);
    }
    return { digest, mediaType: mediaTypeOf(answer), size: contentLengthOf(answer) };
  });
}

/** The port's `getManifest`. */
export function getManifest(
  calls: Calls,
  target: UpstreamTarget,
  reference: Reference,
  ifNoneMatch: Digest | undefined,
  signal: AbortSignal,
): Promise<FetchedManifest | undefined> {
  return small(calls, target, signal, async (within) => {
    const asked = nameOf(target, reference);
    const headers = ifNoneMatch === undefined ? {} : { 'if-none-match': `"${ifNoneMatch}"` };
    const answer = await request(calls, target, reference, 'GET', headers, within);
    if (answer.status === 304 && ifNoneMatch !== undefined) {
      discard(answer, calls.clock);
      return undefined;
    }
    if (answer.status !== 200)
      throw await failureOfStatus(answer, asked, target.url.host, calls.clock);
    assertContent(answer, asked, target.url.host);
    const bytes = await readWhole(answer, manifestBytesMax, target.url.host);
    received(calls, target.url.host, bytes.length);
    return verified(answer, bytes, reference, target, asked);
  });
}

function request(
  calls: Calls,
  target: UpstreamTarget,
  reference: Reference,
  method: 'GET' | 'HEAD',
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Answer> {
  const { repository } = target;
  const path = `/v2/${repository}/manifests/${formatReference(reference)}`;
  const all = { accept: manifestAccept, ...headers };
  return askSmall(
    calls,
    target,
    { repository, kind: 'manifest', method, path, headers: all },
    signal,
  );
}

function verified(
  answer: Answer,
  bytes: Uint8Array,
  reference: Reference,
  target: UpstreamTarget,
  asked: string,
): FetchedManifest {
  assertJsonObject(bytes, asked, target);
  const mediaType = mediaTypeOf(answer) ?? mediaTypeWithin(bytes);
  const algorithm = reference.kind === 'digest' ? algorithmOf(reference.digest) : 'sha256';
  const digest = digestOf(algorithm, bytes);
  if (reference.kind === 'digest' && digest !== reference.digest) throw wrongDigest(asked, target);
  const announced = announcedDigest(answer);
  // A signed schema 1 manifest is announced by the digest of its payload, without the signatures.
  const checkable = reference.kind === 'tag' && mediaType !== mediaTypes.dockerSchema1Signed;
  if (
    checkable &&
    announced !== undefined &&
    digestOf(algorithmOf(announced), bytes) !== announced
  ) {
    throw wrongDigest(asked, target);
  }
  return { digest, mediaType, bytes };
}

/** The first character tells a page or a line of text from a manifest; whoever stores it parses it. */
function assertJsonObject(bytes: Uint8Array, asked: string, { url }: UpstreamTarget): void {
  const first = bytes.find(
    (byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d,
  );
  if (first === 0x7b) return;
  const reason = first === 0x3c ? 'html' : 'badJson';
  throw failure(`${asked}: the answer is no manifest`, 'invalid', reason, url.host, {
    status: 200,
  });
}

const generic: ReadonlySet<string> = new Set([
  'application/json',
  'application/octet-stream',
  'text/plain',
]);

function mediaTypeOf(answer: Answer): string | undefined {
  const type = headerOf(answer, 'content-type')?.split(';')[0]?.trim();
  return type === undefined || type === '' || type.length > 255 || generic.has(type.toLowerCase())
    ? undefined
    : type;
}

/** Where upstream does not say the type, the manifest may; else its members tell an index from an image. */
function mediaTypeWithin(bytes: Uint8Array): string {
  try {
    const parsed = JSON.parse(Buffer.from(bytes).toString('utf8')) as Readonly<
      Record<string, unknown>
    >;
    if (typeof parsed['mediaType'] === 'string' && parsed['mediaType'].length <= 255)
      return parsed['mediaType'];
    return Array.isArray(parsed['manifests']) ? mediaTypes.ociIndex : mediaTypes.ociManifest;
  } catch {
    return mediaTypes.ociManifest;
  }
}

function announcedDigest(answer: Answer): Digest | undefined {
  return parseDigest(headerOf(answer, 'docker-content-digest')?.trim() ?? '');
}

function differs(asked: Digest, announced: Digest): boolean {
  return algorithmOf(asked) === algorithmOf(announced) && asked !== announced;
}

function digestOf(algorithm: 'sha256' | 'sha512', bytes: Uint8Array): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}` as Digest;
}

function nameOf(target: UpstreamTarget, reference: Reference): string {
  const separator = reference.kind === 'tag' ? ':' : '@';
  return `${target.url.host}/${target.repository}${separator}${formatReference(reference)}`;
}

function wrongDigest(asked: string, { url }: UpstreamTarget): UpstreamFailure {
  return failure(`${asked}: the bytes have another digest`, 'invalid', 'wrongDigest', url.host);
}
