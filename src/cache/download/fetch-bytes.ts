import { pause } from '../../coordination/waiting.ts';
import type { ByteSpan } from '../../domain/byte-source.ts';
import type { UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import { unusable, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Events } from '../../ports/events.ts';
import type {
  BlobBody,
  BlobDemand,
  BlobLocation,
  BlobOptions,
  BlobPlace,
  PlaceTaker,
  Upstream,
} from '../../ports/upstream.ts';
import { GatheringWriter } from './arriving-file.ts';
import type { ArrivingFile } from './arriving-file.ts';
import { PiecePlan } from './piece-plan.ts';
import { refusesRange } from './upstream-blobs.ts';
import type { UpstreamPace } from './upstream-pace.ts';
import { everyUrlRests } from './upstream-sources.ts';
import type { UpstreamContent, UpstreamSources } from './upstream-sources.ts';

const attemptsWithoutProgressMax = 3;
/** Less than this between two breaks is no progress: an upstream that drips would be asked without end. */
const progressBytesMin = 16 * 1024;
const pauseFirstMs = 100;

export interface FetchParts {
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly events: Events;
  readonly sources: UpstreamSources;
  readonly pace: UpstreamPace;
  readonly parallelAboveBytes: number;
  readonly pieceBytes: number;
  readonly connectionsPerBlob: number;
}

export interface FetchRequest extends UpstreamContent {
  /** What clients read goes before what nobody waits for, where connections are scarce. */
  readonly demand: BlobDemand;
}

/**
 * Fetches all that the file lacks, from the rule's URLs in turn, resuming where a connection broke; answers which URLs gave bytes.
 * Ends with the first URL's failure after one round without any byte, or three attempts without progress once bytes have come.
 */
export async function fetchBytes(
  file: ArrivingFile,
  request: FetchRequest,
  parts: FetchParts,
  signal: AbortSignal,
): Promise<ReadonlySet<UpstreamUrl>> {
  const gave = new Set<UpstreamUrl>();
  const plan = new PiecePlan();
  let failures: UpstreamFailure[] = [];
  let everProgressed = false;
  for (let turn = 0; !file.isComplete;) {
    const urls = parts.sources.awake(request, request.digest);
    const url = urls[turn % Math.max(1, urls.length)];
    if (url === undefined) throw everyUrlRests();
    const before = file.arrivedBytes;
    try {
      const stop = new AbortController();
      const either = AbortSignal.any([signal, stop.signal]);
      await fetchFrom({
        file,
        request,
        parts,
        url,
        plan,
        stop,
        signal: either,
        location: undefined,
      });
    } catch (error) {
      if (!(error instanceof UpstreamFailure) || signal.aborted) throw error;
      if (file.arrivedBytes - before >= progressBytesMin) failures = [];
      else failures.push(error);
      turn += 1;
      everProgressed ||= file.arrivedBytes > 0;
      const max = everProgressed ? Math.max(attemptsWithoutProgressMax, urls.length) : urls.length;
      if (failures.length >= max || error.reason === 'tooLarge') throw failures[0] ?? error;
      if (failures.length > 0 && failures.length >= urls.length)
        await pause(pauseFirstMs * 2 ** (failures.length - 1), parts.clock, signal);
      parts.events.emit({
        type: 'downloadResumed',
        upstream: url.host,
        digest: request.digest,
        at: file.arrivedBytes,
      });
    }
    if (file.arrivedBytes > before) gave.add(url);
  }
  return gave;
}

/** One URL's turn. */
interface Fetch {
  readonly file: ArrivingFile;
  readonly request: FetchRequest;
  readonly parts: FetchParts;
  readonly url: UpstreamUrl;
  readonly plan: PiecePlan;
  /** Ends the turn's connections. */
  readonly stop: AbortController;
  readonly signal: AbortSignal;
  /** Where the bytes were last found to be. */
  location: BlobLocation | undefined;
}

/** A first connection, and further ones for pieces where upstream serves ranges and the blob is large enough. */
async function fetchFrom(fetch: Fetch): Promise<void> {
  const opened = await openFirst(fetch);
  const further = new FurtherConnections(fetch);
  try {
    await fetchInTurn(fetch, opened, further);
  } catch (error) {
    // The file can't be written, or nobody wants it: further pieces are of no use.
    if (!(error instanceof UpstreamFailure)) fetch.stop.abort(error);
    throw error;
  } finally {
    await further.end();
  }
}

interface Opened {
  readonly body: BlobBody;
  readonly span: ByteSpan | undefined;
  /** It answered a range, and the blob comes in more than one piece. */
  readonly parallel: boolean;
}

/** The first connection's way through the blob. */
async function fetchInTurn(
  fetch: Fetch,
  opened: Opened,
  further: FurtherConnections,
): Promise<void> {
  const { file, plan } = fetch;
  // Further connections wait for the first bytes: whoever reads them should not stand behind three handshakes.
  let onFirst: (() => void) | undefined = opened.parallel ? () => further.begin() : undefined;
  let { body, span } = opened;
  for (;;) {
    let next: Promise<BlobBody> | undefined;
    {
      await using owned = body;
      await take(fetch, owned, span, onFirst);
      onFirst = undefined;
      if (file.size === undefined || file.isComplete) return;
      span = opened.parallel
        ? claimPiece(fetch, file.size)
        : plan.claimRest(file.arrived, file.size);
      if (span === undefined) return;
      // Before the connection is given back, so that only those go first who come first.
      next = openPiece(fetch, span);
      next.catch(() => {});
    }
    body = await next;
    further.goOn();
  }
}

/**
 * The first request of a turn: plain for a blob that is known to come in one piece, else the first piece by range, plain where
 * that is refused.
 */
async function openFirst(fetch: Fetch): Promise<Opened> {
  const { file, parts, url, plan } = fetch;
  const { size } = file;
  const inPieces = parts.connectionsPerBlob > 1;
  let span: ByteSpan | undefined;
  if (size !== undefined)
    span = inPieces ? claimPiece(fetch, size) : plan.claimRest(file.arrived, size);
  else if (inPieces && file.arrived.length === 0)
    span = plan.claim([], parts.pieceBytes, parts.pieceBytes, []);
  try {
    const whole = span === undefined || (span.start === 0 && span.end + 1 === size);
    let body = whole ? await open(fetch, {}) : await openRange(fetch, span as ByteSpan);
    if (body.partial && body.total === undefined && size === undefined) {
      // `0-99/*`: a piece that does not say of how much; the end of the whole is known by its coming.
      await body[Symbol.asyncDispose]();
      body = await open(fetch, {});
    }
    try {
      await file.announce(body, url.host);
    } catch (error) {
      await body[Symbol.asyncDispose]();
      throw error;
    }
    const total = file.size;
    if (span !== undefined && (!body.partial || total === undefined || span.end >= total)) {
      plan.release(span);
      const { start } = span;
      if (total === undefined) span = undefined;
      else
        span = body.partial
          ? plan.claim(file.arrived, total, pieceBytesOf(fetch), [start])
          : plan.claimRest(file.arrived, total);
    }
    return { body, span, parallel: inPieces && body.partial && total !== undefined };
  } catch (error) {
    if (span !== undefined) plan.release(span);
    throw error;
  }
}

/** Large blobs come in pieces of the configured size, smaller ones in such as take longer than a few round trips. */
function pieceBytesOf({ file, parts, url }: Fetch): number {
  const { pieceBytes, parallelAboveBytes, pace } = parts;
  const size = file.size ?? Number.POSITIVE_INFINITY;
  return size > parallelAboveBytes ? pieceBytes : pace.pieceBytes(url.host, pieceBytes);
}

function claimPiece(fetch: Fetch, size: number): ByteSpan | undefined {
  const { file, plan } = fetch;
  return plan.claim(file.arrived, size, pieceBytesOf(fetch), file.waitingPositions);
}

/** A range; where upstream refuses ranges outright, the whole from its beginning. */
async function openRange(fetch: Fetch, span: ByteSpan): Promise<BlobBody> {
  try {
    return await open(fetch, { range: span });
  } catch (error) {
    if (!refusesRange(error)) throw error;
    return open(fetch, {});
  }
}

async function open(fetch: Fetch, options: BlobOptions): Promise<BlobBody> {
  const { parts, url, signal } = fetch;
  const { rule, upstreamRepository: repository, digest, demand } = fetch.request;
  const target = { rule, url, repository };
  const body = await parts.upstream.openBlob(target, digest, { ...options, demand }, signal);
  parts.pace.answered(url.host, body.answeredAfterMs);
  fetch.location = body.location;
  return body;
}

/** Ends the claim where the piece can't be had. */
async function openPiece(fetch: Fetch, span: ByteSpan, place?: BlobPlace): Promise<BlobBody> {
  const { location } = fetch;
  try {
    return await open(fetch, {
      range: span,
      ...(location === undefined ? {} : { location }),
      ...(place === undefined ? {} : { place }),
    });
  } catch (error) {
    fetch.plan.release(span);
    throw error;
  }
}

/** Reads a body into the file; the claim ends with it, whatever happens. */
async function take(
  fetch: Fetch,
  body: BlobBody,
  span: ByteSpan | undefined,
  onFirst?: () => void,
): Promise<void> {
  const { file, url, plan } = fetch;
  const { clock, pace } = fetch.parts;
  try {
    if (body.total !== undefined && file.size !== undefined && body.total !== file.size)
      await file.announce(body, url.host);
    const startedAt = clock.elapsed();
    const end = await pump(fetch, body, span, onFirst);
    pace.arrived(url.host, end - body.start, clock.elapsed() - startedAt);
    if (file.size === undefined) await file.announce({ total: end, partial: false }, url.host);
  } finally {
    if (span !== undefined) plan.release(span);
  }
}

/**
 * Moves a body into the file. Skips what comes before the span (an upstream that ignored the range); bytes beyond it are an error.
 * Answers the position reached. `onFirst` is called once, a turn of the event loop after the first bytes.
 */
async function pump(
  { file, request, signal }: Fetch,
  body: BlobBody,
  span: ByteSpan | undefined,
  onFirst: (() => void) | undefined,
): Promise<number> {
  const end = span === undefined ? undefined : span.end + 1;
  const writer = new GatheringWriter(file, span?.start ?? body.start);
  const wrong = (reached: number): UpstreamFailure =>
    unusable(
      `upstream sent bytes up to ${reached}, expected is ${file.size ?? 'another length'}`,
      'wrongLength',
      request.rule.urls[0].host,
    );
  let position = body.start;
  try {
    for await (const chunk of body.chunks) {
      signal.throwIfAborted();
      const skip = Math.min(chunk.length, Math.max(0, writer.nextPosition - position));
      const room = end === undefined ? chunk.length : Math.max(0, end - position);
      position += chunk.length;
      if (room < chunk.length) throw wrong(position);
      if (skip < chunk.length) await writer.push(skip === 0 ? chunk : chunk.subarray(skip));
      if (onFirst !== undefined) setImmediate(onFirst);
      onFirst = undefined;
    }
  } finally {
    await writer.flush();
  }
  if (end !== undefined && position < end) throw wrong(position);
  return position;
}

/** Connections beside a download's first: those that nobody waits for, a piece each. */
class FurtherConnections implements PlaceTaker {
  readonly #fetch: Fetch;
  readonly #running = new Set<Promise<void>>();
  #offer: Disposable | undefined;
  #failed = false;
  #ended = false;

  constructor(fetch: Fetch) {
    this.#fetch = fetch;
  }

  /** From now on. */
  begin(): void {
    const { parts, request, url } = this.#fetch;
    if (this.#ended) return;
    this.#offer ??= parts.upstream.offerPlaces({ rule: request.rule, url }, this);
  }

  /** The first connection has a new piece: where a further one failed, others are tried again. */
  goOn(): void {
    if (!this.#failed) return;
    this.#failed = false;
    this.#reconsider();
  }

  /** Takes no more, and waits for those under way. */
  async end(): Promise<void> {
    this.#ended = true;
    this.#offer?.[Symbol.dispose]();
    await Promise.all(this.#running);
  }

  get wanted(): boolean {
    return this.#fetch.request.demand.wanted;
  }

  get load(): number {
    const { file, parts, plan, signal } = this.#fetch;
    const running = this.#running.size;
    if (this.#failed || signal.aborted || running >= parts.connectionsPerBlob - 1) return 0;
    return plan.unclaimed(file.arrived, file.size ?? 0) / (running + 2);
  }

  take(place: BlobPlace): void {
    const span = claimPiece(this.#fetch, this.#fetch.file.size ?? 0);
    if (span === undefined) return place[Symbol.dispose]();
    const piece = this.#fetchPiece(place, span).finally(() => {
      this.#running.delete(piece);
      this.#reconsider();
    });
    this.#running.add(piece);
  }

  /** It fails quietly: what it leaves undone, the first connection or the next turn fetches. */
  async #fetchPiece(place: BlobPlace, span: ByteSpan): Promise<void> {
    try {
      await using body = await openPiece(this.#fetch, span, place);
      await take(this.#fetch, body, span);
    } catch {
      this.#failed = true;
    }
  }

  #reconsider(): void {
    this.#fetch.parts.upstream.reconsider(this.#fetch.url.host);
  }
}
