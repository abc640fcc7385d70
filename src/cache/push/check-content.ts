import type { Digest } from '../../domain/names/digest.ts';
import type { RepositoryMemory } from '../memory/repository-memory.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Descriptor, Manifest } from '../../domain/manifests/manifest.ts';
import { childKind } from '../../domain/manifests/media-type.ts';
import { isAllowed } from '../../domain/rules/name-pattern.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { BlobStore } from '../../ports/blob-store.ts';
import type { ManifestFetcher } from '../pull/fetch-manifest.ts';
import type { BlobPuller } from '../pull/pull-blob.ts';
import { holdsBlob, holdsManifest } from '../whose-bytes.ts';
import type { PullRequest, RuledRequest } from '../pull-request.ts';
import { repositoryKey, isRuled, identityOf } from '../pull-request.ts';
import { waitUnder } from '../../coordination/waiting.ts';

const atOnceMax = 16;
const bringInMs = 120_000;

/** What a pushed manifest names, held against what is here. */
export interface ContentCheck {
  /** Throws `manifestInvalid` where a size is not that of the content; resolves with held blobs whose bytes are gone. */
  requireHonest(request: PullRequest, manifest: Manifest): Promise<readonly Digest[]>;
  /**
   * Has what the rule's upstream holds in this very repository held here: a client that saw it by HEAD does not push it.
   * True where all of the digests are here then: what the rule's patterns don't admit, or whoever pushes may not import, stays unknown.
   */
  bringIn(
    request: PullRequest & { readonly mayImport: () => Promise<boolean> },
    manifest: Manifest,
    digests: readonly Digest[],
  ): Promise<boolean>;
}

export function createContentCheck(parts: {
  readonly metadata: Metadata;
  readonly blobs: BlobStore;
  readonly repositories: RepositoryMemory;
  readonly filler: Pick<BlobPuller, 'fill'>;
  readonly fetcher: ManifestFetcher;
  /** Ends with the server. */
  readonly signal: AbortSignal;
}): ContentCheck {
  /** A wrong size is only told to whom the blob belongs; to others it is unknown, whoever else may hold it. */
  async function checkBlob(request: PullRequest, blob: Descriptor, gone: Digest[]): Promise<void> {
    const size = await parts.blobs.size(blob.digest);
    if (size === blob.size) return;
    const key = repositoryKey(request);
    const asking = identityOf(request.target);
    const claim = await parts.metadata.blobs.findBlobClaim(key, asking, blob.digest);
    if (!holdsBlob(claim, await parts.repositories.isStopped(request))) return;
    if (size !== undefined) throw wrongSize(blob, size);
    gone.push(blob.digest);
  }

  async function checkChild(request: PullRequest, child: Descriptor): Promise<void> {
    const key = repositoryKey(request);
    const held = await parts.metadata.manifests.findManifestInfo(key, child.digest);
    if (held === undefined || !holdsManifest(held, request.target.rule)) return;
    if (held.provenance === undefined && (await parts.repositories.isStopped(request))) return;
    if (held.size !== child.size) throw wrongSize(child, held.size);
  }

  /** The blob is this repository's then, and its bytes are on the disk. */
  async function bringBlob(
    request: RuledRequest & { readonly digest: Digest },
    signal: AbortSignal,
  ): Promise<void> {
    await parts.filler.fill(request, signal);
    if ((await parts.blobs.size(request.digest)) === undefined)
      throw new Error(`${request.digest} could not be stored`);
  }

  return {
    requireHonest: async (request, manifest) => {
      const config = manifest.config === undefined ? [] : [manifest.config];
      const gone: Digest[] = [];
      await eachAtOnce(unique([...config, ...manifest.layers]), (blob) =>
        checkBlob(request, blob, gone),
      );
      await eachAtOnce(unique(manifest.manifests), (child) => checkChild(request, child));
      return gone;
    },
    bringIn: async (request, manifest, digests) => {
      if (!isRuled(request)) return false;
      const { rule, upstreamRepository } = request.target;
      const children = new Set(manifest.manifests.map((child) => child.digest));
      // As for a pull: blobs are asked for without a reference.
      const admits = (digest: Digest): boolean =>
        isAllowed(
          rule,
          upstreamRepository,
          children.has(digest) ? { kind: 'digest', digest } : undefined,
        );
      if (!digests.every(admits) || !(await request.mayImport())) return false;
      const { signal: ended } = parts;
      const signal = AbortSignal.any([ended, AbortSignal.timeout(bringInMs)]);
      const ruled = { registry: request.registry, target: request.target };
      const maybeBlobs = new Set(
        manifest.manifests
          .filter(({ mediaType }) => childKind(mediaType) === 'unknown')
          .map((child) => child.digest),
      );
      const hold = (digest: Digest): Promise<unknown> => bringBlob({ ...ruled, digest }, signal);
      try {
        await eachAtOnce(digests, async (digest) => {
          if (!children.has(digest)) return await hold(digest);
          const { promise } = parts.fetcher.byDigest(ruled, digest);
          return await waitUnder<unknown>(promise, signal).catch((error: unknown) => {
            if (!maybeBlobs.has(digest)) throw error;
            return hold(digest);
          });
        });
        return true;
      } catch {
        // Upstream does not have it, or can't be asked: it is unknown here.
        return false;
      }
    },
  };
}

/** Runs the work for all, some at a time; the first failure ends it. */
async function eachAtOnce<T>(
  items: readonly T[],
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const left = items.values();
  const run = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnceMax, items.length) }, run));
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
