import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { isEmptyBlob, possibleSize } from '../../domain/names/digest.ts';
import { noRuleText } from '../../domain/rules/no-rule.ts';
import { ruleIdentity } from '../../domain/rules/rule-identity.ts';
import { answerOf, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { BlobClaim, Metadata } from '../../metadata/contract/metadata.ts';
import type { BlobAnswer, BlobRequest, Cache } from '../cache.ts';
import { NoSpace } from '../download/download.ts';
import type { Download, DownloadRequest } from '../download/download.ts';
import type { Downloads } from '../download/downloads.ts';
import { downloadSource } from '../download/download-source.ts';
import type { FetchManifestParts } from './fetch-manifest.ts';
import type { NegativeMemory } from '../memory/negative-memory.ts';
import { passThroughSource } from '../download/pass-through.ts';
import type { RepairedBlobs } from './repaired-blobs.ts';
import { stoppedFailure } from '../memory/repository-stops.ts';
import { waitUnder } from '../single-flight.ts';
import { createStoredBlobs, unknownBlob } from './stored-blob.ts';
import { storageAnswer } from '../space/storage-answer.ts';
import { isStorageFailure } from '../space/space-gate.ts';
import { attachWhileRunning } from '../download/attached-download.ts';
import { createUpstreamBlobs } from '../download/upstream-blobs.ts';
import { type FirstByte, isProof, liftsStop } from '../download/first-byte.ts';
import { holdsBlob } from '../whose-bytes.ts';
import type { PullRequest, RuledRequest } from '../pull-request.ts';
import { isPrivate, repositoryKey, ruledKey, identityOf, mayAsk } from '../pull-request.ts';

const heldMax = 50_000;

export interface PullBlobParts extends Pick<
  FetchManifestParts,
  'upstream' | 'changes' | 'clock' | 'events' | 'stops' | 'signal'
> {
  readonly metadata: Metadata;
  readonly blobs: RepairedBlobs;
  readonly downloads: Downloads;
  readonly negative: NegativeMemory;
}

type RuledBlob = RuledRequest & Pick<BlobRequest, 'digest' | 'stored'>;

/** Makes a blob this repository's, with nobody reading it. */
export interface BlobFiller {
  /**
   * Fetches it, or asks whether upstream has it here where its bytes are the rule's already; true when bytes were fetched. With
   * `background` it goes behind what clients wait for.
   */
  fill(
    request: RuledRequest & { readonly digest: Digest },
    signal: AbortSignal,
    background?: boolean,
  ): Promise<boolean>;
}

/** A blob that a repository was found to hold, under the repository's stamp. */
interface Held {
  readonly size: number;
  readonly stamp: number;
  readonly pushed: boolean;
}

/** What was found of a blob before upstream is asked. */
interface Found {
  readonly claim: BlobClaim;
  readonly sizeHere: number | undefined;
  readonly stopped: boolean;
}

/** Blobs: ours where this repository holds them (ARCHITECTURE.md, "Whose bytes"), else upstream is asked, once for any number of pulls. */
export function createBlobPuller(
  parts: PullBlobParts,
): Pick<Cache, 'pullBlob'> & BlobFiller & { clear(): void } {
  const held = new LRUCache<string, Held>(atMost(heldMax));
  const stored = createStoredBlobs(parts);
  const upstream = createUpstreamBlobs(parts);

  function hit(request: BlobRequest, size: number): BlobAnswer {
    return {
      digest: request.digest,
      size,
      source: stored.source(request, size),
      outcome: { verdict: 'hit' },
    };
  }

  function findClaim(request: PullRequest & { readonly digest: Digest }): Promise<BlobClaim> {
    const { metadata } = parts;
    return metadata.findBlobClaim(
      repositoryKey(request),
      identityOf(request.target),
      request.digest,
    );
  }

  async function pull(request: BlobRequest, signal: AbortSignal): Promise<BlobAnswer> {
    try {
      return await pullNow(request, signal);
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error;
      throw answerOf(error, 'blob');
    }
  }

  async function pullNow(request: BlobRequest, signal: AbortSignal): Promise<BlobAnswer> {
    const { digest } = request;
    const key = heldKey(request);
    const stopped = await parts.stops.isStopped(request);
    const sizeHere = await stored.size(digest);
    const stamp = parts.changes.stamp(request);
    const known = held.get(key);
    if (
      known?.stamp === stamp &&
      known.size === sizeHere &&
      (!stopped || known.pushed) &&
      !parts.blobs.isDamaged(digest)
    )
      return hit(request, known.size);
    const claim = await findClaim(request);
    const size = stored.undamaged(request, claim, sizeHere);
    if (size !== undefined && holdsBlob(claim, stopped)) {
      held.set(key, { size, stamp, pushed: claim.held === 'pushed' });
      return hit(request, size);
    }
    if (!mayAsk(request)) return pullUnasked(request, claim, stopped);
    refuseKnown(request);
    // A file that was given up still is better than nothing where it is this repository's and as long as it was.
    const spare =
      holdsBlob(claim, stopped) && (claim.fetchedBytes ?? sizeHere) === sizeHere
        ? sizeHere
        : undefined;
    try {
      return await pullMissing(request, { claim, sizeHere: size, stopped }, signal);
    } catch (error) {
      if (error instanceof UpstreamFailure && spare !== undefined) return hit(request, spare);
      const about = claim.namedBytes === undefined ? 'digest' : 'named';
      parts.negative.note(negativeKey(request), about, error);
      throw error;
    }
  }

  /** Where nobody upstream can be asked, a file system that won't say is no reason to call the blob unknown. */
  async function pullUnasked(
    request: BlobRequest,
    claim: BlobClaim,
    stopped: boolean,
  ): Promise<BlobAnswer> {
    const { digest } = request;
    if (stopped && holdsBlob(claim, false))
      throw answerOf(stoppedFailure(request), 'blob', 'negative');
    if (holdsBlob(claim, stopped)) {
      const size = await parts.blobs.size(digest).catch((error: unknown) => {
        throw storageAnswer(error, 'size', parts.events);
      });
      if (size !== undefined && (claim.fetchedBytes ?? size) === size) return hit(request, size);
    }
    throw unknownBlob(
      digest,
      request.heldOnly === true
        ? 'not here, and nothing new may be fetched'
        : `not here, and ${noRuleText(request.target.repository)}`,
    );
  }

  function refuseKnown(request: BlobRequest): void {
    const { digest, method } = request;
    const failure =
      parts.negative.get(ruledKey(request, digest)) ??
      (method === 'HEAD' ? parts.negative.get(negativeKey(request)) : undefined);
    if (failure !== undefined) throw answerOf(failure, 'blob', 'negative');
  }

  async function pullMissing(
    request: BlobRequest & RuledRequest,
    found: Found,
    signal: AbortSignal,
  ): Promise<BlobAnswer> {
    const { claim, sizeHere, stopped } = found;
    const ruleHas = sizeHere !== undefined && claim.fetchedBytes !== undefined;
    if (stopped || ruleHas) {
      const first = await upstream.ask(request, signal);
      liftBy(first, request, found);
      const isHeld = ruleHas || holdsBlob(claim, false);
      if (sizeHere !== undefined && isHeld && isProof(first, sizeHere)) {
        await prove(request, sizeHere);
        return {
          ...hit(request, sizeHere),
          outcome: { verdict: 'revalidated', upstreamStatus: 200 },
        };
      }
    }
    if (request.method === 'HEAD') return answerHead(request, claim, signal);
    if (parts.downloads.find(ownerOf(request), request.digest) === undefined) {
      // A download that ended since the claim was read has left its record.
      const now = await findClaim(request);
      if (now.held !== claim.held && (await stored.size(request.digest)) !== undefined)
        return pullNow(request, signal);
    }
    return download(request, found, signal);
  }

  function liftBy(first: FirstByte, request: RuledBlob, { claim, stopped }: Found): void {
    const { digest } = request;
    if (stopped && liftsStop(first, digest, expectedBytes(digest, claim)))
      parts.stops.lift(request);
  }

  /** What upstream says of a blob that is not this repository's yet: nothing that is here is told. */
  async function answerHead(
    request: BlobRequest & RuledRequest,
    claim: BlobClaim,
    signal: AbortSignal,
  ): Promise<BlobAnswer> {
    const { digest } = request;
    const running = parts.downloads.find(ownerOf(request), digest);
    if (running?.size !== undefined && isHere(running, request))
      return headAnswer(digest, running.size, 'coalesced');
    const named = possibleSize(digest, claim.namedBytes);
    const said = await upstream.head(request, named !== undefined, signal);
    return headAnswer(digest, named ?? said, 'miss');
  }

  async function download(
    request: BlobRequest & RuledRequest,
    found: Found,
    signal: AbortSignal,
  ): Promise<BlobAnswer> {
    const { digest } = request;
    try {
      const { download: running, joined } = await join(request, found, signal);
      return {
        digest,
        size: running.size,
        source: downloadSource(running),
        outcome: { verdict: joined ? 'coalesced' : 'miss', upstreamStatus: 200 },
      };
    } catch (error) {
      if (!(error instanceof NoSpace) && !isStorageFailure(error)) throw error;
      const size =
        expectedBytes(digest, found.claim) ??
        possibleSize(digest, (await upstream.ask(request, signal)).total);
      const { rule, upstreamRepository } = request.target;
      const source = passThroughSource({ rule, upstreamRepository, digest }, size, parts.upstream);
      return { digest, size, source, outcome: { verdict: 'bypass', detail: 'storage full' } };
    }
  }

  /**
   * The download of the blob by this rule. One that another repository began is this one's too once upstream has answered a
   * GET of it here; what it fails with there says nothing of here.
   */
  async function join(
    request: RuledBlob,
    found: Found,
    signal: AbortSignal,
    background = false,
  ): Promise<{ readonly download: Download; readonly joined: boolean }> {
    const wanted = downloadRequest(request, found);
    const other = parts.downloads.find(wanted.owner, wanted.digest);
    const isOthers = other !== undefined && !isHere(other, request);
    let joined: Awaited<ReturnType<Downloads['join']>>;
    try {
      joined = await parts.downloads.join(wanted, signal, background);
    } catch (error) {
      if (!isOthers || !(error instanceof UpstreamFailure)) throw error;
      await waitUnder(other.closed, signal);
      joined = await parts.downloads.join(wanted, signal, background);
    }
    const { download: running } = joined;
    if (isHere(running, request)) return joined;
    const first = await upstream.ask(request, signal);
    if (!isProof(first, running.size)) {
      // Then it is fetched here, whole, once the other one has given its place.
      await waitUnder(running.closed, signal);
      return join(request, found, signal, background);
    }
    void running.closed.then(() => {
      if (running.state !== 'stored') return;
      if (found.stopped && liftsStop(first, request.digest, running.size))
        parts.stops.lift(request);
      void prove(request, running.size ?? 0);
    });
    return joined;
  }

  function downloadRequest(request: RuledBlob, { claim, stopped }: Found): DownloadRequest {
    const { rule, upstreamRepository } = request.target;
    const { digest } = request;
    return {
      owner: ownerOf(request),
      rule,
      upstreamRepository,
      digest,
      expectedBytes: expectedBytes(digest, claim),
      onStored: async (size: number) => {
        remember(request, size);
        if (stopped && !isEmptyBlob(digest)) parts.stops.lift(request);
        await parts.metadata.recordFetch({ ...recordOf(request), size });
        request.stored?.();
      },
    };
  }

  function remember(request: PullRequest & { readonly digest: Digest }, size: number): void {
    const stamp = parts.changes.stamp(request);
    held.set(heldKey(request), { size, stamp, pushed: false });
  }

  function recordOf(request: RuledRequest & { readonly digest: Digest }) {
    return {
      ...repositoryKey(request),
      rule: ruleIdentity(request.target.rule),
      digest: request.digest,
      private: isPrivate(request.target),
      now: parts.clock.now(),
    };
  }

  /** Upstream has answered a GET of it here, and its bytes are the rule's own. */
  async function prove(
    request: RuledRequest & { readonly digest: Digest },
    size: number,
  ): Promise<void> {
    remember(request, size);
    try {
      await parts.metadata.proveBlob(recordOf(request));
    } catch (error) {
      parts.events.emit({ type: 'storageFailed', operation: 'proveBlob', message: String(error) });
    }
  }

  async function fill(
    request: RuledRequest & { readonly digest: Digest },
    signal: AbortSignal,
    background = false,
  ): Promise<boolean> {
    const claim = await findClaim(request);
    const size = stored.undamaged(request, claim, await stored.size(request.digest));
    const stopped = await parts.stops.isStopped(request);
    if (size !== undefined && holdsBlob(claim, stopped)) return false;
    const found = { claim, sizeHere: size, stopped };
    if (size !== undefined && claim.fetchedBytes !== undefined) {
      const first = await upstream.ask(request, signal);
      if (isProof(first, size)) {
        liftBy(first, request, found);
        await prove(request, size);
        return false;
      }
    }
    const { download: running } = await join(request, found, signal, background);
    if (!background) await attachWhileRunning(running, signal);
    await waitUnder(running.closed, signal);
    // One that could not be stored served those who read it, and is not here.
    if (running.state !== 'stored') throw running.error ?? new NoSpace();
    if (!isHere(running, request)) await prove(request, running.size ?? 0);
    return true;
  }

  return {
    pullBlob: pull,
    fill,
    clear: () => {
      held.clear();
      upstream.clear();
    },
  };
}

/** The rule's identity is part of it: what was held under another is not. */
function heldKey(request: PullRequest & { readonly digest: Digest }): string {
  return ruledKey(request, request.digest);
}

/** By the rule that was refused; a HEAD's no refuses no GET. */
function negativeKey(request: BlobRequest): string {
  const { digest, method } = request;
  return ruledKey(request, method === 'HEAD' ? `HEAD ${digest}` : digest);
}

/** Registry and rule, as whom and where it leads: whose partial and whose download it is. */
function ownerOf(request: RuledRequest): string {
  return `${request.registry} ${ruleIdentity(request.target.rule)}`;
}

function isHere(running: Download, { target }: RuledRequest): boolean {
  return running.request.upstreamRepository === target.upstreamRepository;
}

function expectedBytes(digest: Digest, claim: BlobClaim): number | undefined {
  return possibleSize(digest, claim.fetchedBytes ?? claim.namedBytes);
}

function headAnswer(
  digest: Digest,
  size: number | undefined,
  verdict: 'miss' | 'coalesced',
): BlobAnswer {
  return { digest, size, source: undefined, outcome: { verdict, upstreamStatus: 200 } };
}
