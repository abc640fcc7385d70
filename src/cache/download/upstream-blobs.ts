import { Flights } from '../../coordination/flights.ts';
import { TimedMemory } from '../../coordination/timed-memory.ts';
import { waitUnder } from '../../coordination/waiting.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { isEmptyBlob, possibleSize } from '../../domain/names/digest.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Clock } from '../../ports/clock.ts';
import type { BlobBody, Upstream, UpstreamTarget } from '../../ports/upstream.ts';
import { ruledKey } from '../pull-request.ts';
import type { RuledRequest } from '../pull-request.ts';
import { askInTurn } from './upstream-sources.ts';
import type { UpstreamContent } from './upstream-sources.ts';

const headsMax = 10_000;
const headKnownForMs = 60_000;

type BlobRequest = RuledRequest & { readonly digest: Digest };

interface UpstreamBlobParts {
  readonly upstream: Upstream;
  readonly clock: Clock;
  /** Ends with the server: a question belongs to the cache, not to a request. */
  readonly signal: AbortSignal;
}

interface BlobHead {
  readonly size: number | undefined;
}

/** What upstream says of a blob, without its bytes; one question for any number of askers. */
export class UpstreamBlobs {
  readonly #parts: UpstreamBlobParts;
  readonly #asks: Flights<FirstByte>;
  readonly #heads: Flights<BlobHead>;
  readonly #known: TimedMemory<BlobHead>;

  constructor(parts: UpstreamBlobParts) {
    this.#parts = parts;
    this.#asks = new Flights(parts.clock);
    this.#heads = new Flights(parts.clock);
    this.#known = new TimedMemory(parts.clock, { entriesMax: headsMax });
  }

  /** By a GET of its first byte: an answer that `isProof` shows that upstream has it in this repository. Throws its failure. */
  ask(request: BlobRequest, signal: AbortSignal): Promise<FirstByte> {
    const { upstream, signal: ended } = this.#parts;
    const { digest } = request;
    const { rule, upstreamRepository } = request.target;
    const { promise } = this.#asks.join(ruledKey(request, digest), async () => {
      const first = await askForFirstByte(upstream, { rule, upstreamRepository, digest }, ended);
      return isEmptyBlob(digest) ? { ...first, total: 0 } : first;
    });
    return waitUnder(promise, signal);
  }

  /**
   * By a HEAD, which is a hint and shows nothing; a yes is kept for 60 s. `believed`: a manifest names the blob, so that a GET
   * has the last word on a no. Throws its failure.
   */
  async head(
    request: BlobRequest,
    believed: boolean,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { upstream, signal: ended } = this.#parts;
    const { digest } = request;
    const key = ruledKey(request, digest);
    const known = this.#known.get(key);
    if (known !== undefined) return known.size;
    const { promise } = this.#heads.join(key, async () => {
      const head = await askInTurn(request.target, ended, (target) =>
        upstream.headBlob(target, digest, ended),
      );
      const said = { size: possibleSize(digest, head.size) };
      this.#known.set(key, said, headKnownForMs);
      return said;
    });
    try {
      return (await waitUnder(promise, signal)).size;
    } catch (error) {
      if (!believed || !isNo(error)) throw error;
      return possibleSize(digest, (await this.ask(request, signal)).total);
    }
  }

  clear(): void {
    this.#known.clear();
  }
}

/** Any answer but one that asks to wait. */
function isNo(error: unknown): boolean {
  return (
    error instanceof UpstreamFailure && error.status !== undefined && error.kind !== 'rateLimited'
  );
}

/** Statuses that refuse a range and not the blob. */
const rangeRefused: ReadonlySet<number> = new Set([400, 416, 501]);

/** Whether the blob may be had where no range of it is asked for. */
export function refusesRange(error: unknown): boolean {
  return error instanceof UpstreamFailure && rangeRefused.has(error.status ?? 0);
}

/** What a GET of a blob's first byte was answered. */
export interface FirstByte {
  /** The blob's size, where upstream says it. */
  readonly total: number | undefined;
  /** A 206: the range was understood. */
  readonly isPart: boolean;
}

/**
 * Whether the answer is one of a blob of this size. A page that a gateway sends with 200 in the place of a no has another
 * length, or none, and is no part of anything.
 */
export function isProof({ total, isPart }: FirstByte, size: number | undefined): boolean {
  return total === undefined ? isPart : total === size;
}

/**
 * Whether the answer may lift a stop. Only content whose size is known from what came through the rule (`size`) tells it from a
 * gateway's page of any length, and the empty blob can't: it is in every answer.
 */
export function liftsStop(first: FirstByte, digest: Digest, size: number | undefined): boolean {
  return size !== undefined && !isEmptyBlob(digest) && isProof(first, size);
}

/**
 * Asks upstream by a GET whether it has the blob in this very repository, for its first byte alone, and ends the answer there.
 * Throws the upstream's failure.
 */
export function askForFirstByte(
  upstream: Upstream,
  from: UpstreamContent,
  signal: AbortSignal,
): Promise<FirstByte> {
  return askInTurn(from, signal, async (target) => {
    await using body = await open(upstream, target, from.digest, signal);
    return { total: body.total, isPart: body.partial };
  });
}

function open(
  upstream: Upstream,
  target: UpstreamTarget,
  digest: Digest,
  signal: AbortSignal,
): Promise<BlobBody> {
  const range = isEmptyBlob(digest) ? {} : { range: { start: 0, end: 0 } };
  return upstream.openBlob(target, digest, range, signal).catch((error: unknown) => {
    if (!refusesRange(error)) throw error;
    return upstream.openBlob(target, digest, {}, signal);
  });
}
