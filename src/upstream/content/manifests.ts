import { createHash } from 'node:crypto';
import type { Digest } from '../../domain/names/digest.ts';
import { algorithmOf, parseDigest } from '../../domain/names/digest.ts';
import { parseJsonObject } from '../../domain/json.ts';
import { manifestBytesMax } from '../../domain/manifests/manifest.ts';
import { childKind, manifestAccept, mediaTypes } from '../../domain/manifests/media-type.ts';
import type { Reference } from '../../domain/names/reference.ts';
import { formatReference } from '../../domain/names/reference.ts';
import { unusable, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { FetchedManifest, ManifestHead, UpstreamTarget } from '../../ports/upstream.ts';
import { contentLengthOf, discard, readWhole } from '../wire/body-reading.ts';
import type { Calls } from '../calls.ts';
import { askOrigin, received, smallRequest } from '../calls.ts';
import { decode, isCoded } from './content-coding.ts';
import type { Answer } from '../wire/exchange.ts';
import { headerOf } from '../wire/exchange.ts';
import { failureOfStatus, isWhole } from '../statuses.ts';

/** The port's `headManifest`. */
export function headManifest(
  calls: Calls,
  target: UpstreamTarget,
  reference: Reference,
  signal: AbortSignal,
): Promise<ManifestHead> {
  return smallRequest(calls, target, signal, async (within) => {
    const asked = nameOf(target, reference);
    const answer = await request(calls, target, reference, 'HEAD', {}, within);
    if (answer.status !== 200)
      throw await failureOfStatus(answer, asked, target.url.host, calls.clock);
    discard(answer, calls.clock);
    const announced = announcedDigest(answer);
    // A header that contradicts the digest asked for says nothing: the bytes of a GET will.
    const isWrong =
      reference.kind === 'digest' &&
      announced !== undefined &&
      differs(reference.digest, announced);
    const size = isCoded(answer) ? undefined : contentLengthOf(answer);
    return { digest: isWrong ? undefined : announced, mediaType: mediaTypeOf(answer), size };
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
  return smallRequest(calls, target, signal, async (within) => {
    const asked = nameOf(target, reference);
    const headers = ifNoneMatch === undefined ? {} : { 'if-none-match': `"${ifNoneMatch}"` };
    const answer = await request(calls, target, reference, 'GET', headers, within);
    if (answer.status === 304 && ifNoneMatch !== undefined) {
      discard(answer, calls.clock);
      return undefined;
    }
    if (!isWhole(answer.status))
      throw await failureOfStatus(answer, asked, target.url.host, calls.clock);
    const found = await readManifest(calls, answer, reference, target);
    const promised = promisedElsewhere(answer, found, reference);
    if (promised === undefined) return found;
    // Either these bytes or their header is wrong: the digest itself decides, where it can be had.
    try {
      const byDigest = { kind: 'digest', digest: promised } as const;
      const again = await request(calls, target, byDigest, 'GET', {}, within);
      if (isWhole(again.status)) return await readManifest(calls, again, byDigest, target);
      discard(again, calls.clock);
    } catch (error) {
      if (!(error instanceof UpstreamFailure) || within.aborted) throw error;
    }
    return found;
  });
}

/** The digest that an answer announces and its bytes don't have. */
function promisedElsewhere(
  answer: Answer,
  { mediaType, bytes }: FetchedManifest,
  reference: Reference,
): Digest | undefined {
  const announced = announcedDigest(answer);
  // A signed schema 1 manifest is announced by the digest of its payload, without the signatures.
  if (
    reference.kind === 'digest' ||
    announced === undefined ||
    mediaType === mediaTypes.dockerSchema1Signed
  )
    return undefined;
  return digestOf(algorithmOf(announced), bytes) === announced ? undefined : announced;
}

async function readManifest(
  calls: Calls,
  answer: Answer,
  reference: Reference,
  target: UpstreamTarget,
): Promise<FetchedManifest> {
  const bytes = await readWhole(answer, manifestBytesMax, target.url.host);
  received(calls, target.url.host, bytes.length);
  return verified(answer, await rightBytes(answer, bytes, reference), reference, target);
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
  return askOrigin(
    calls,
    target,
    { repository, kind: 'manifest', method, path, headers: all },
    signal,
  );
}

/** As they came, or decoded where that alone has the digest that is asked for or announced, or is a manifest at all. */
async function rightBytes(
  answer: Answer,
  bytes: Uint8Array,
  reference: Reference,
): Promise<Uint8Array> {
  if (!isCoded(answer)) return bytes;
  const wanted = reference.kind === 'digest' ? reference.digest : announcedDigest(answer);
  const isRight = (some: Uint8Array): boolean =>
    wanted !== undefined && digestOf(algorithmOf(wanted), some) === wanted;
  if (isRight(bytes)) return bytes;
  const decoded = await decode(answer, bytes, manifestBytesMax);
  if (decoded === undefined) return bytes;
  return isRight(decoded) || firstCharacter(bytes) !== 0x7b ? decoded : bytes;
}

/** The bytes by their own digest: many a registry announces for a tag the digest of another form of the manifest. */
function verified(
  answer: Answer,
  bytes: Uint8Array,
  reference: Reference,
  target: UpstreamTarget,
): FetchedManifest {
  const asked = nameOf(target, reference);
  const algorithm = reference.kind === 'digest' ? algorithmOf(reference.digest) : 'sha256';
  const digest = digestOf(algorithm, bytes);
  const isAsked = reference.kind === 'digest' && digest === reference.digest;
  if (!isAsked) assertJsonObject(bytes, asked, target);
  if (reference.kind === 'digest' && !isAsked)
    throw unusable(`${asked}: the bytes have another digest`, 'wrongDigest', target.url.host);
  const type = mediaTypeOf(answer);
  if (type !== undefined && (isAsked || childKind(type) === 'manifest'))
    return { digest, mediaType: type, bytes };
  const members: Members = parseJsonObject(Buffer.from(bytes).toString('utf8')) ?? {};
  if (!isAsked) assertManifest(members, asked, target);
  return { digest, mediaType: type ?? mediaTypeIn(members), bytes };
}

/** The first character tells a page or a line of text from a manifest; whoever stores it parses it. */
function assertJsonObject(bytes: Uint8Array, asked: string, { url }: UpstreamTarget): void {
  const first = firstCharacter(bytes);
  if (first === 0x7b) return;
  const reason = first === 0x3c ? 'html' : 'badJson';
  throw unusable(`${asked}: the answer is no manifest`, reason, url.host, 200);
}

function firstCharacter(bytes: Uint8Array): number | undefined {
  return bytes.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d);
}

/**
 * A gateway's 200 with a JSON text of its own is no manifest, be its type `application/problem+json`: where the answer's type is no
 * manifest's, a member has to say what it is.
 */
function assertManifest(
  { schemaVersion, mediaType, manifests, config, layers }: Members,
  asked: string,
  { url }: UpstreamTarget,
): void {
  const isManifest =
    schemaVersion !== undefined ||
    typeof mediaType === 'string' ||
    Array.isArray(manifests) ||
    (config !== undefined && Array.isArray(layers));
  if (isManifest) return;
  throw unusable(`${asked}: the answer is JSON that is no manifest`, 'badJson', url.host, 200);
}

/** Types that say nothing of a manifest. */
const generic: ReadonlySet<string> = new Set([
  'application/json',
  'application/octet-stream',
  'application/xhtml+xml',
  'application/xml',
  'binary/octet-stream',
  'text/html',
  'text/plain',
]);

function mediaTypeOf(answer: Answer): string | undefined {
  const type = headerOf(answer, 'content-type')?.split(';')[0]?.trim();
  return type === undefined || type === '' || type.length > 255 || generic.has(type.toLowerCase())
    ? undefined
    : type;
}

/** Where upstream does not say the type, the manifest may; else its members tell an index from an image. */
function mediaTypeIn({ mediaType, manifests }: Members): string {
  if (typeof mediaType === 'string' && mediaType.length <= 255) return mediaType;
  return Array.isArray(manifests) ? mediaTypes.ociIndex : mediaTypes.ociManifest;
}

/** What an answer may say of itself. */
interface Members {
  readonly schemaVersion?: unknown;
  readonly mediaType?: unknown;
  readonly manifests?: unknown;
  readonly config?: unknown;
  readonly layers?: unknown;
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
