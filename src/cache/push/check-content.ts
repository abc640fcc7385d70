import type { Digest } from '../../domain/names/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Descriptor, Manifest } from '../../domain/manifests/manifest.ts';
import { childKind } from '../../domain/manifests/media-type.ts';
import { isAllowed } from '../../domain/rules/name-pattern.ts';
import { holdsBlob, holdsManifest } from '../whose-bytes.ts';
import type { PullRequest, RuledRequest } from '../pull-request.ts';
import { repositoryKey, isRuled, identityOf } from '../pull-request.ts';
import { eachAtOnce } from '../../coordination/each-at-once.ts';
import { waitUnder } from '../../coordination/waiting.ts';
import type { PushParts } from './push-parts.ts';

const atOnceMax = 16;
const bringInMs = 120_000;

/**
 * Compares what a pushed manifest says of its content with what is here. Throws `manifestInvalid` where a size is not that of
 * the content; resolves with blobs that are the repository's and whose bytes are gone.
 */
export async function requireRightSizes(
  parts: PushParts,
  request: PullRequest,
  manifest: Manifest,
): Promise<readonly Digest[]> {
  const config = manifest.config === undefined ? [] : [manifest.config];
  const blobs = unique([...config, ...manifest.layers]);
  const here = await eachAtOnce(blobs, atOnceMax, (blob) => isBlobHere(parts, request, blob));
  const children = unique(manifest.manifests);
  await eachAtOnce(children, atOnceMax, (child) => checkChild(parts, request, child));
  return blobs.filter((_, index) => here[index] === false).map((blob) => blob.digest);
}

/** False where its bytes are gone. Only whose blob it is learns of a wrong size; to others it is unknown, whoever else may have it. */
async function isBlobHere(
  { blobs, metadata, repositories }: PushParts,
  request: PullRequest,
  blob: Descriptor,
): Promise<boolean> {
  const size = await blobs.size(blob.digest);
  if (size === blob.size) return true;
  const key = repositoryKey(request);
  const claim = await metadata.blobs.findBlobClaim(key, identityOf(request.target), blob.digest);
  if (!holdsBlob(claim, await repositories.isStopped(request))) return true;
  if (size !== undefined) throw wrongSize(blob, size);
  return false;
}

async function checkChild(
  { metadata, repositories }: PushParts,
  request: PullRequest,
  child: Descriptor,
): Promise<void> {
  const found = await metadata.manifests.findManifestInfo(repositoryKey(request), child.digest);
  if (found === undefined || !holdsManifest(found, request.target.rule)) return;
  if (found.provenance === undefined && (await repositories.isStopped(request))) return;
  if (found.size !== child.size) throw wrongSize(child, found.size);
}

/**
 * Fetches what the rule's upstream has in this very repository: a client that saw it there by HEAD does not push it.
 * True where all of the digests are here then: what the rule's patterns don't admit, or whoever pushes may not import, stays unknown.
 */
export async function bringIn(
  parts: PushParts,
  request: PullRequest & { readonly mayImport: () => Promise<boolean> },
  manifest: Manifest,
  digests: readonly Digest[],
): Promise<boolean> {
  if (!isRuled(request)) return false;
  const { registry, target } = request;
  const children = new Map(manifest.manifests.map((child) => [child.digest, child]));
  // As for a pull: blobs are asked for without a reference.
  const admits = (digest: Digest): boolean => {
    const reference = children.has(digest) ? ({ kind: 'digest', digest } as const) : undefined;
    return isAllowed(target.rule, target.upstreamRepository, reference);
  };
  if (!digests.every(admits) || !(await request.mayImport())) return false;
  const signal = AbortSignal.any([parts.signal, AbortSignal.timeout(bringInMs)]);
  const ruled = { registry, target };
  const bring = async (digest: Digest): Promise<unknown> => {
    const child = children.get(digest);
    if (child === undefined) return await bringBlob(parts, { ...ruled, digest }, signal);
    const { promise } = parts.fetcher.byDigest(ruled, digest);
    return await waitUnder<unknown>(promise, signal).catch((error: unknown) => {
      // An index may name blobs among its children.
      if (childKind(child.mediaType) !== 'unknown') throw error;
      return bringBlob(parts, { ...ruled, digest }, signal);
    });
  };
  try {
    await eachAtOnce(digests, atOnceMax, bring);
    return true;
  } catch {
    // Upstream does not have it, or can't be asked: it is unknown here.
    return false;
  }
}

/** The blob is this repository's then, and its bytes are on the disk. */
async function bringBlob(
  { blobs, filler }: PushParts,
  request: RuledRequest & { readonly digest: Digest },
  signal: AbortSignal,
): Promise<void> {
  await filler.fill(request, signal);
  if ((await blobs.size(request.digest)) === undefined)
    throw new Error(`${request.digest} could not be stored`);
}

/** Each digest once for each size that it is named with. */
function unique(descriptors: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map(descriptors.map((one) => [`${one.digest} ${one.size}`, one])).values()];
}

function wrongSize({ digest, size }: Descriptor, actual: number): RegistryError {
  return new RegistryError('manifestInvalid', `${digest} has ${actual} bytes, not ${size}`, {
    detail: { digest, size, actual },
  });
}
