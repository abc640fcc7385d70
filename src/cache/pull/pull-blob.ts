import { waitUnder } from '../../coordination/waiting.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { isEmptyBlob, possibleSize } from '../../domain/names/digest.ts';
import { ruleIdentity } from '../../domain/rules/rule-identity.ts';
import { answerOf, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { BlobClaim } from '../../metadata/contract/rows.ts';
import type { BlobAnswer, BlobRequest } from '../cache.ts';
import { NoSpace } from '../download/arriving-file.ts';
import { downloadSource } from '../download/download-source.ts';
import type { Download, DownloadRequest } from '../download/download.ts';
import type { Downloads } from '../download/downloads.ts';
import type { FirstByte } from '../download/upstream-blobs.ts';
import { isProof, liftsStop, UpstreamBlobs } from '../download/upstream-blobs.ts';
import { passThroughSource } from '../download/pass-through.ts';
import type { HeldBlob } from '../memory/repository-memory.ts';
import { stoppedFailure } from '../memory/repository-memory.ts';
import type { PullRequest, RuledRequest } from '../pull-request.ts';
import { identityOf, isPrivate, mayAsk, repositoryKey } from '../pull-request.ts';
import { isStorageFailure } from '../space/space-gate.ts';
import { storageAnswer } from '../space/storage-answer.ts';
import { holdsBlob } from '../whose-bytes.ts';
import type { PullParts } from './pull-parts.ts';
import { tryWrite, whyNotAsked } from './pull-parts.ts';
import { sizeIfIntact, storedSize, storedSource, unknownBlob } from './stored-blob.ts';

export interface PullBlobParts extends PullParts {
  readonly downloads: Downloads;
}

type AskedBlob = PullRequest & { readonly digest: Digest };
type RuledBlob = RuledRequest & Pick<BlobRequest, 'digest' | 'stored'>;

/** What was found of a blob before upstream is asked. */
interface Found {
  readonly claim: BlobClaim;
  readonly sizeHere: number | undefined;
  readonly stopped: boolean;
}

interface JoinedDownload {
  readonly download: Download;
  readonly joined: boolean;
}

/** Blobs: ours where this repository holds them (ARCHITECTURE.md, "Whose bytes"), else upstream is asked, once for any number of pulls. */
export class BlobPuller {
  readonly #parts: PullBlobParts;
  readonly #upstream: UpstreamBlobs;

  constructor(parts: PullBlobParts) {
    this.#parts = parts;
    this.#upstream = new UpstreamBlobs(parts);
  }

  async pull(asked: BlobRequest, signal: AbortSignal): Promise<BlobAnswer> {
    try {
      const { repositories } = this.#parts;
      const known = repositories.peekWithoutRootIfOwn(asked);
      return await this.#pull(known ?? (await repositories.withoutRootIfOwn(asked)), signal);
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error;
      throw answerOf(error, 'blob');
    }
  }

  /**
   * Makes a blob this repository's, with nobody reading it: fetches it, or asks whether upstream has it here where its bytes are
   * the rule's already; true when bytes were fetched. With `background` it goes behind what clients wait for.
   */
  async fill(
    request: RuledRequest & { readonly digest: Digest },
    signal: AbortSignal,
    background = false,
  ): Promise<boolean> {
    const claim = await this.#findClaim(request);
    const sizeHere = await storedSize(this.#parts, request.digest);
    const size = sizeIfIntact(this.#parts, request, claim, sizeHere);
    const stopped = await this.#parts.repositories.isStopped(request);
    if (size !== undefined && holdsBlob(claim, stopped)) return false;
    const found = { claim, sizeHere: size, stopped };
    if (size !== undefined && claim.fetchedBytes !== undefined) {
      const first = await this.#upstream.ask(request, signal);
      if (isProof(first, size)) {
        this.#liftBy(first, request, found);
        await this.#prove(request, size);
        return false;
      }
    }
    const { download } = await this.#join(request, found, signal, background);
    if (!background) await download.attachWhileRunning(signal);
    await waitUnder(download.closed, signal);
    // One that could not be stored served those who read it, and is not here.
    if (download.state !== 'stored') throw download.error ?? new NoSpace();
    if (!isFor(download, request)) await this.#prove(request, download.size ?? 0);
    return true;
  }

  clear(): void {
    this.#upstream.clear();
  }

  async #pull(request: BlobRequest, signal: AbortSignal): Promise<BlobAnswer> {
    const { repositories, blobs, refusals } = this.#parts;
    const { digest } = request;
    const stopped = await repositories.isStopped(request);
    const sizeHere = await storedSize(this.#parts, digest);
    const stamp = repositories.stamp(request);
    const known = repositories.peekBlob(request, digest, stamp);
    if (isUsable(known, sizeHere, stopped) && !blobs.isDamaged(digest))
      return this.#hit(request, known.size);
    let claim: BlobClaim;
    try {
      claim = await this.#findClaim(request);
    } catch (error) {
      const last = repositories.lastBlob(request, digest, stamp);
      if (isUsable(last, sizeHere, stopped) && !blobs.isDamaged(digest))
        return this.#hit(request, last.size);
      throw error;
    }
    const size = sizeIfIntact(this.#parts, request, claim, sizeHere);
    const isHeld = holdsBlob(claim, stopped);
    if (size !== undefined && isHeld) {
      repositories.putBlob(request, digest, { size, pushed: claim.held === 'pushed' }, stamp);
      return this.#hit(request, size);
    }
    if (!mayAsk(request)) return this.#pullFromHere(request, claim, stopped);
    const refused = refusals.find('blob', request, digest);
    if (refused !== undefined) throw answerOf(refused, 'blob', 'negative');
    try {
      return await this.#pullMissing(request, { claim, sizeHere: size, stopped }, signal);
    } catch (error) {
      // A file that was given up still is better than nothing where it is this repository's and as long as it was.
      const spare = isHeld && (claim.fetchedBytes ?? sizeHere) === sizeHere ? sizeHere : undefined;
      if (error instanceof UpstreamFailure && spare !== undefined) return this.#hit(request, spare);
      const about = claim.namedBytes === undefined ? 'digest' : 'named';
      refusals.note('blob', request, digest, about, error);
      throw error;
    }
  }

  #hit(request: BlobRequest, size: number): BlobAnswer {
    const source = storedSource(this.#parts, request, size);
    return { digest: request.digest, size, source, outcome: { verdict: 'hit' } };
  }

  #findClaim(request: AskedBlob): Promise<BlobClaim> {
    const { metadata } = this.#parts;
    return metadata.blobs.findBlobClaim(
      repositoryKey(request),
      identityOf(request.target),
      request.digest,
    );
  }

  /** Where nobody upstream can be asked, a file system that won't say is no reason to call the blob unknown. */
  async #pullFromHere(
    request: BlobRequest,
    claim: BlobClaim,
    stopped: boolean,
  ): Promise<BlobAnswer> {
    const { blobs, events } = this.#parts;
    const { digest } = request;
    if (stopped && holdsBlob(claim, false))
      throw answerOf(stoppedFailure(request), 'blob', 'negative');
    if (holdsBlob(claim, stopped)) {
      const size = await blobs.size(digest).catch((error: unknown) => {
        throw storageAnswer(error, 'size', events);
      });
      if (size !== undefined && (claim.fetchedBytes ?? size) === size)
        return this.#hit(request, size);
    }
    throw unknownBlob(digest, `not here, and ${whyNotAsked(request)}`);
  }

  async #pullMissing(
    request: BlobRequest & RuledRequest,
    found: Found,
    signal: AbortSignal,
  ): Promise<BlobAnswer> {
    const { claim, sizeHere, stopped } = found;
    const { downloads } = this.#parts;
    const ruleHas = sizeHere !== undefined && claim.fetchedBytes !== undefined;
    if (stopped || ruleHas) {
      const first = await this.#upstream.ask(request, signal);
      this.#liftBy(first, request, found);
      const isHeld = ruleHas || holdsBlob(claim, false);
      if (sizeHere !== undefined && isHeld && isProof(first, sizeHere)) {
        await this.#prove(request, sizeHere);
        const outcome = { verdict: 'revalidated', upstreamStatus: 200 } as const;
        return { ...this.#hit(request, sizeHere), outcome };
      }
    }
    if (request.method === 'HEAD') return this.#answerHead(request, claim, signal);
    if (downloads.find(ownerOf(request), request.digest) === undefined) {
      // A download that ended since the claim was read has left its record.
      const now = await this.#findClaim(request);
      const isNew = now.held !== claim.held;
      if (isNew && (await storedSize(this.#parts, request.digest)) !== undefined)
        return this.#pull(request, signal);
    }
    return this.#download(request, found, signal);
  }

  #liftBy(first: FirstByte, request: RuledBlob, { claim, stopped }: Found): void {
    const { digest } = request;
    if (stopped && liftsStop(first, digest, expectedBytes(digest, claim)))
      this.#parts.repositories.liftStop(request);
  }

  /** What upstream says of a blob that is not this repository's yet; what is stored here by others must not show. */
  async #answerHead(
    request: BlobRequest & RuledRequest,
    claim: BlobClaim,
    signal: AbortSignal,
  ): Promise<BlobAnswer> {
    const { digest } = request;
    const running = this.#parts.downloads.find(ownerOf(request), digest);
    if (running?.size !== undefined && isFor(running, request))
      return headAnswer(digest, running.size, 'coalesced');
    const named = possibleSize(digest, claim.namedBytes);
    const said = await this.#upstream.head(request, named !== undefined, signal);
    return headAnswer(digest, named ?? said, 'miss');
  }

  async #download(
    request: BlobRequest & RuledRequest,
    found: Found,
    signal: AbortSignal,
  ): Promise<BlobAnswer> {
    const { digest } = request;
    try {
      const { download, joined } = await this.#join(request, found, signal, false);
      const verdict = joined ? 'coalesced' : 'miss';
      return {
        digest,
        size: download.size,
        source: downloadSource(download),
        outcome: { verdict, upstreamStatus: 200 },
      };
    } catch (error) {
      if (!(error instanceof NoSpace) && !isStorageFailure(error)) throw error;
      const size =
        expectedBytes(digest, found.claim) ??
        possibleSize(digest, (await this.#upstream.ask(request, signal)).total);
      const { rule, upstreamRepository } = request.target;
      const from = { rule, upstreamRepository, digest };
      const source = passThroughSource(from, size, this.#parts.upstream);
      return { digest, size, source, outcome: { verdict: 'bypass', detail: 'storage full' } };
    }
  }

  /**
   * The download of the blob by this rule. One that another repository began is this one's too once upstream has answered a
   * GET of it here; what it fails with there says nothing of here.
   */
  async #join(
    request: RuledBlob,
    found: Found,
    signal: AbortSignal,
    background: boolean,
  ): Promise<JoinedDownload> {
    const joined = await this.#joinAny(request, found, signal, background);
    const { download } = joined;
    if (isFor(download, request)) return joined;
    const first = await this.#upstream.ask(request, signal);
    if (!isProof(first, download.size)) {
      // Then it is fetched here, whole, once the other one has given its place.
      await waitUnder(download.closed, signal);
      return this.#join(request, found, signal, background);
    }
    void download.closed.then(() => {
      if (download.state !== 'stored') return;
      if (found.stopped && liftsStop(first, request.digest, download.size))
        this.#parts.repositories.liftStop(request);
      void this.#prove(request, download.size ?? 0);
    });
    return joined;
  }

  async #joinAny(
    request: RuledBlob,
    found: Found,
    signal: AbortSignal,
    background: boolean,
  ): Promise<JoinedDownload> {
    const { downloads } = this.#parts;
    const wanted = this.#downloadRequest(request, found);
    const other = downloads.find(wanted.owner, wanted.digest);
    try {
      return await downloads.join(wanted, signal, background);
    } catch (error) {
      const isOthers = other !== undefined && !isFor(other, request);
      if (!isOthers || !(error instanceof UpstreamFailure)) throw error;
      await waitUnder(other.closed, signal);
      return downloads.join(wanted, signal, background);
    }
  }

  #downloadRequest(request: RuledBlob, { claim, stopped }: Found): DownloadRequest {
    const { metadata, repositories } = this.#parts;
    const { rule, upstreamRepository } = request.target;
    const { digest } = request;
    return {
      owner: ownerOf(request),
      registry: request.registry,
      rule,
      upstreamRepository,
      digest,
      expectedBytes: expectedBytes(digest, claim),
      onStored: async (size: number) => {
        this.#remember(request, size);
        if (stopped && !isEmptyBlob(digest)) repositories.liftStop(request);
        await metadata.blobs.recordFetch({ ...this.#recordOf(request), size });
        request.stored?.();
      },
    };
  }

  #remember(request: AskedBlob, size: number): void {
    const { repositories } = this.#parts;
    const stamp = repositories.stamp(request);
    repositories.putBlob(request, request.digest, { size, pushed: false }, stamp);
  }

  #recordOf(request: RuledRequest & { readonly digest: Digest }) {
    return {
      ...repositoryKey(request),
      rule: ruleIdentity(request.target.rule),
      digest: request.digest,
      private: isPrivate(request.target),
      now: this.#parts.clock.now(),
    };
  }

  /** Upstream has answered a GET of it here, and its bytes are the rule's own. */
  async #prove(request: RuledRequest & { readonly digest: Digest }, size: number): Promise<void> {
    this.#remember(request, size);
    await tryWrite(this.#parts, 'proveBlob', () =>
      this.#parts.metadata.blobs.proveBlob(this.#recordOf(request)),
    );
  }
}

/** Whether the blob that the repository held is still what may be given out. */
function isUsable(
  blob: HeldBlob | undefined,
  sizeHere: number | undefined,
  stopped: boolean,
): blob is HeldBlob {
  return blob !== undefined && blob.size === sizeHere && (!stopped || blob.pushed);
}

/** Registry and rule, as whom and where it leads: whose partial and whose download it is. */
function ownerOf(request: RuledRequest): string {
  return `${request.registry} ${ruleIdentity(request.target.rule)}`;
}

/** Whether the download is of the repository that is asked for, rather than of another one under the same rule. */
function isFor(download: Download, { target }: RuledRequest): boolean {
  return download.request.upstreamRepository === target.upstreamRepository;
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
