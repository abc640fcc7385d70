import { LRUCache } from 'lru-cache';
import { atMost } from '../domain/entry-limit.ts';
import type { Digest } from '../domain/digest.ts';
import { answerOf, UpstreamFailure } from '../domain/upstream-failure.ts';
import type { BlobClaim, Metadata } from '../metadata/metadata.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { BlobAnswer, Cache } from './cache.ts';
import { type Download, NoSpace } from './download.ts';
import type { Downloads } from './downloads.ts';
import { downloadSource } from './download-source.ts';
import type { FetchManifestParts, RuledRequest } from './fetch-manifest.ts';
import { isPrivate, memoryKey, repositoryKey } from './keys.ts';
import type { NegativeMemory } from './negative-memory.ts';
import { passThroughSource } from './pass-through.ts';
import { isRuled } from './pull-manifest.ts';
import { stoppedFailure } from './repository-stops.ts';
import { SingleFlight, waitUnder } from './single-flight.ts';
import { createStoredBlobs, unknownBlob } from './stored-blob.ts';
import { storageAnswer } from './storage-answer.ts';
import { isStorageFailure } from './space-gate.ts';
import { askInTurn } from './upstream-sources.ts';

const heldMax = 50_000;
const headsMax = 10_000;
const headKnownForMs = 60_000;

export interface PullBlobParts extends Pick<
  FetchManifestParts,
  'upstream' | 'changes' | 'clock' | 'events' | 'stops' | 'signal'
> {
  readonly metadata: Metadata;
  readonly blobs: BlobStore;
  readonly downloads: Downloads;
  readonly negative: NegativeMemory;
}

type BlobRequest = Parameters<Cache['pullBlob']>[0];

/** Starts or joins the download of a blob that a repository's manifest names, with nobody reading it. */
export interface BlobFiller {
  /** True when bytes were fetched; false when the blob was here already. With `background` it goes behind what clients wait for. */
  fill(
    request: RuledRequest & { readonly digest: Digest },
    signal: AbortSignal,
    background?: boolean,
  ): Promise<boolean>;
  /** Makes the blob this repository's where the rule's upstream has it here; throws the upstream's failure. */
  hold(request: RuledRequest & { readonly digest: Digest }, signal: AbortSignal): Promise<void>;
}

/** Blobs: ours where this repository holds them (design.md §3, "Whose bytes"), else upstream is asked, once for any number of pulls. */
export function createBlobPuller(
  parts: PullBlobParts,
): Pick<Cache, 'pullBlob'> & BlobFiller & { clear(): void } {
  /** Blobs that a repository was found to hold, with their sizes, under the repository's stamp. */
  const held = new LRUCache<string, { size: number; stamp: number }>(atMost(heldMax));
  const heads = new LRUCache<string, { size: number | undefined; until: number }>(atMost(headsMax));
  const stored = createStoredBlobs(parts);
  const headFlights = new SingleFlight<number | undefined>();

  function hit(request: BlobRequest, size: number): BlobAnswer {
    return {
      digest: request.digest,
      size,
      source: stored.source(request, size),
      outcome: { verdict: 'hit' },
    };
  }

  async function pull(request: BlobRequest, signal: AbortSignal): Promise<BlobAnswer> {
    try {
      if (!isRuled(request)) return await pullWithoutRule(request);
      return await pullRuled(request, signal);
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error;
      throw answerOf(error, 'blob');
    }
  }

  async function pullWithoutRule(request: BlobRequest): Promise<BlobAnswer> {
    const { digest } = request;
    const claim = await parts.metadata.findBlobClaim(repositoryKey(request), '', digest);
    const size = claim.named || claim.proven ? await sizeOfOwn(digest) : undefined;
    if (size === undefined) throw unknownBlob(digest, 'not here, and no rule leads here');
    return hit(request, size);
  }

  /** Where nobody upstream can be asked, a file system that won't say is no reason to call the blob unknown. */
  async function sizeOfOwn(digest: Digest): Promise<number | undefined> {
    try {
      return await parts.blobs.size(digest);
    } catch (error) {
      throw storageAnswer(error, 'size', parts.events);
    }
  }

  async function pullRuled(
    request: BlobRequest & RuledRequest,
    signal: AbortSignal,
  ): Promise<BlobAnswer> {
    const { digest } = request;
    const key = heldKey(request);
    const stopped = await parts.stops.isStopped(request);
    const sizeHere = await stored.size(digest);
    const stamp = parts.changes.stamp(request);
    const known = held.get(key);
    if (known?.stamp === stamp && known.size === sizeHere && !stopped)
      return hit(request, known.size);
    const { prefix } = request.target.rule;
    const claim = await parts.metadata.findBlobClaim(repositoryKey(request), prefix, digest);
    const size = await stored.undamaged(digest, claim, sizeHere);
    const ours = (claim.named && claim.ruleFetched) || claim.proven;
    if (ours && size !== undefined && (!stopped || claim.pushed === true)) {
      held.set(key, { size, stamp });
      return hit(request, size);
    }
    if (request.heldOnly === true) {
      if (ours && size !== undefined) throw answerOf(stoppedFailure(request), 'blob', 'negative');
      throw unknownBlob(digest, 'not here, and nothing new may be fetched');
    }
    const refused = parts.negative.get(memoryKey(request, digest));
    if (refused !== undefined) throw answerOf(refused, 'blob', 'negative');
    try {
      return await pullMissing(request, claim, size, stopped, signal);
    } catch (error) {
      parts.negative.note(memoryKey(request, digest), 'digest', error);
      throw error;
    }
  }

  async function pullMissing(
    request: BlobRequest & RuledRequest,
    claim: BlobClaim,
    sizeHere: number | undefined,
    stopped: boolean,
    signal: AbortSignal,
  ): Promise<BlobAnswer> {
    const { digest } = request;
    const running = parts.downloads.find(ownerOf(request), digest);
    const joinable = running !== undefined && claim.named && !stopped;
    if (!joinable && (sizeHere !== undefined || stopped || running !== undefined)) {
      // Bytes are here or on their way, but not shown to be this repository's: upstream says whether they are.
      const head = await headUpstream(request, signal);
      parts.stops.lift(request);
      if (sizeHere !== undefined) {
        await prove(request, sizeHere);
        return {
          ...hit(request, sizeHere),
          outcome: { verdict: 'revalidated', upstreamStatus: 200 },
        };
      }
      if (request.method === 'HEAD') return headAnswer(digest, head);
    }
    if (request.method === 'HEAD') {
      if (running?.size !== undefined)
        return { ...headAnswer(digest, running.size), outcome: { verdict: 'coalesced' } };
      return headAnswer(digest, await headUpstream(request, signal));
    }
    const ended = parts.downloads.find(ownerOf(request), digest) === undefined;
    if (ended && !stopped && (await stored.size(digest)) !== undefined) {
      // Its download ended since the file was looked for: the bytes are here now.
      return pullRuled(request, signal);
    }
    return download(request, claim, signal);
  }

  async function download(
    request: BlobRequest & RuledRequest,
    claim: BlobClaim,
    signal: AbortSignal,
  ): Promise<BlobAnswer> {
    const { digest } = request;
    const expectedBytes = claim.size ?? heads.get(memoryKey(request, digest))?.size;
    try {
      const { download: running, joined } = await parts.downloads.join(
        downloadRequest(request, claim.named, expectedBytes),
        signal,
      );
      const verdict = joined ? 'coalesced' : 'miss';
      return {
        digest,
        size: running.size,
        source: downloadSource(running),
        outcome: { verdict, upstreamStatus: 200 },
      };
    } catch (error) {
      if (!(error instanceof NoSpace) && !isStorageFailure(error)) throw error;
      const size = expectedBytes ?? (await headUpstream(request, signal));
      const { rule, upstreamRepository } = request.target;
      const source = passThroughSource({ rule, upstreamRepository, digest }, size, parts.upstream);
      return { digest, size, source, outcome: { verdict: 'bypass', detail: 'storage full' } };
    }
  }

  function downloadRequest(
    request: RuledRequest & Pick<BlobRequest, 'digest' | 'stored'>,
    named: boolean,
    expectedBytes: number | undefined,
  ) {
    const { rule, upstreamRepository } = request.target;
    const { digest } = request;
    return {
      owner: ownerOf(request),
      rule,
      upstreamRepository,
      digest,
      named,
      expectedBytes,
      onStored: async (size: number) => {
        held.set(heldKey(request), { size, stamp: parts.changes.stamp(request) });
        await parts.metadata.recordFetch({
          ...repositoryKey(request),
          rule: rule.prefix,
          digest,
          size,
          private: isPrivate(request.target),
          now: parts.clock.now(),
        });
        request.stored?.();
      },
    };
  }

  /** One upstream HEAD for any number of askers, kept 60 s. The size, where upstream says it. */
  async function headUpstream(
    request: RuledRequest & { readonly digest: Digest },
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const key = memoryKey(request, request.digest);
    const known = heads.get(key);
    if (known !== undefined && known.until > parts.clock.elapsed()) return known.size;
    const { rule, upstreamRepository: repository } = request.target;
    const { promise } = headFlights.join(`${key} ${rule.prefix}`, async () => {
      const head = await askInTurn(rule.urls, parts.signal, (url) =>
        parts.upstream.headBlob({ rule, url, repository }, request.digest, parts.signal),
      );
      heads.set(key, { size: head.size, until: parts.clock.elapsed() + headKnownForMs });
      return head.size;
    });
    return waitUnder(promise, signal);
  }

  async function prove(
    request: RuledRequest & { readonly digest: Digest },
    size: number,
  ): Promise<void> {
    held.set(heldKey(request), { size, stamp: parts.changes.stamp(request) });
    try {
      await parts.metadata.proveBlob({
        ...repositoryKey(request),
        digest: request.digest,
        private: isPrivate(request.target),
        now: parts.clock.now(),
      });
    } catch (error) {
      parts.events.emit({ type: 'storageFailed', operation: 'proveBlob', message: String(error) });
    }
  }

  async function fill(
    request: RuledRequest & { readonly digest: Digest },
    signal: AbortSignal,
    background = false,
  ): Promise<boolean> {
    const claim = await parts.metadata.findBlobClaim(
      repositoryKey(request),
      request.target.rule.prefix,
      request.digest,
    );
    const here = claim.ruleFetched || claim.proven;
    if (here && (await stored.size(request.digest)) !== undefined) return false;
    const { download: running } = await parts.downloads.join(
      downloadRequest(request, claim.named, claim.size),
      signal,
      background,
    );
    if (!background) await attachWhileRunning(running, signal);
    await waitUnder(running.closed, signal);
    if (running.state === 'failed') throw running.error;
    return true;
  }

  async function hold(
    request: RuledRequest & { readonly digest: Digest },
    signal: AbortSignal,
  ): Promise<void> {
    const { digest, target } = request;
    const key = repositoryKey(request);
    const claim = await parts.metadata.findBlobClaim(key, target.rule.prefix, digest);
    const size = await parts.blobs.size(digest);
    if (size === undefined) return void (await fill(request, signal));
    if (!claim.proven && !(claim.named && claim.ruleFetched)) await headUpstream(request, signal);
    const now = parts.clock.now();
    await parts.metadata.proveBlob({ ...key, digest, private: isPrivate(target), now });
  }

  return {
    pullBlob: pull,
    fill,
    hold,
    clear: () => {
      held.clear();
      heads.clear();
    },
  };
}

/** Somebody waits for the whole of it, as a push does: it goes before what nobody waits for, and does not pause. */
async function attachWhileRunning(download: Download, signal: AbortSignal): Promise<void> {
  download.attach(1);
  try {
    while (download.state === 'running') await download.changed(signal);
  } finally {
    download.attach(-1);
  }
}

function heldKey(request: RuledRequest & { readonly digest: Digest }): string {
  return memoryKey(request, `${request.target.rule.prefix} ${request.digest}`);
}

/** Registry and rule: whose partial and whose download it is. */
function ownerOf(request: RuledRequest): string {
  return `${request.registry} ${request.target.rule.prefix}`;
}

function headAnswer(digest: Digest, size: number | undefined): BlobAnswer {
  return { digest, size, source: undefined, outcome: { verdict: 'miss', upstreamStatus: 200 } };
}
