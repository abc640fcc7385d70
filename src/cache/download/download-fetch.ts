import type { ByteSpan } from '../../domain/byte-source.ts';
import type { UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type {
  BlobBody,
  BlobLocation,
  BlobOptions,
  BlobPlace,
  PlaceTaker,
} from '../../ports/upstream.ts';
import type { Download } from './download.ts';
import { pump } from './download-pump.ts';
import type { PiecePlan } from './piece-plan.ts';
import { createPiecePlan } from './piece-plan.ts';
import { everyUrlRests } from './upstream-sources.ts';

const attemptsWithoutProgressMax = 3;
/** Less than this between two breaks is no progress: an upstream that drips would be asked without end. */
const progressBytesMin = 16 * 1024;
const pauseFirstMs = 100;

/**
 * Fetches all that is missing, from the rule's URLs in turn, resuming where a connection broke; answers which URLs gave bytes.
 * Ends with the first URL's failure after one round without any byte, or three attempts without progress once bytes have come.
 */
export async function fetchBytes(download: Download): Promise<ReadonlySet<UpstreamUrl>> {
  const { request, parts } = download;
  const gave = new Set<UpstreamUrl>();
  const plan = createPiecePlan();
  let failures: UpstreamFailure[] = [];
  let everProgressed = false;
  for (let turn = 0; !download.complete;) {
    const urls = parts.sources.awake(request, request.digest);
    const url = urls[turn % Math.max(1, urls.length)];
    if (url === undefined) throw everyUrlRests();
    const before = download.arrivedBytes;
    try {
      await fetchFrom(download, url, plan);
    } catch (error) {
      if (!(error instanceof UpstreamFailure) || download.signal.aborted) throw error;
      if (download.arrivedBytes - before >= progressBytesMin) failures = [];
      else failures.push(error);
      turn += 1;
      everProgressed ||= download.arrivedBytes > 0;
      const max = everProgressed ? Math.max(attemptsWithoutProgressMax, urls.length) : urls.length;
      if (failures.length >= max || error.reason === 'tooLarge') throw failures[0] ?? error;
      if (failures.length > 0 && failures.length >= urls.length)
        await pause(download, pauseFirstMs * 2 ** (failures.length - 1));
      parts.events.emit({
        type: 'downloadResumed',
        upstream: url.host,
        digest: request.digest,
        at: download.arrivedBytes,
      });
    }
    if (download.arrivedBytes > before) gave.add(url);
  }
  return gave;
}

function pause(download: Download, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      timer[Symbol.dispose]();
      download.signal.removeEventListener('abort', wake);
      resolve();
    };
    const timer = download.parts.clock.after(ms, wake);
    download.signal.addEventListener('abort', wake, { once: true });
  });
}

/** One URL's turn: a first connection, and further ones for pieces where upstream serves ranges and the blob is large enough. */
async function fetchFrom(download: Download, url: UpstreamUrl, plan: PiecePlan): Promise<void> {
  const fetcher: Fetcher = { download, url, plan, location: undefined };
  const opened = await openFirst(fetcher);
  const further = createFurtherConnections(fetcher);
  try {
    await fetchInTurn(fetcher, opened, further);
  } catch (error) {
    if (!(error instanceof UpstreamFailure))
      download.pause(error instanceof Error ? error : new Error(String(error)));
    throw error;
  } finally {
    await further.end();
  }
}

interface Fetcher {
  readonly download: Download;
  readonly url: UpstreamUrl;
  readonly plan: PiecePlan;
  /** Where the bytes were last found to be. */
  location: BlobLocation | undefined;
}

interface Opened {
  readonly body: BlobBody;
  readonly span: ByteSpan | undefined;
  /** Upstream serves ranges. */
  readonly ranges: boolean;
  /** It answered one, and the blob comes in more than one piece. */
  readonly parallel: boolean;
}

/** The first connection's way through the blob. */
async function fetchInTurn(
  fetcher: Fetcher,
  opened: Opened,
  further: FurtherConnections,
): Promise<void> {
  const { download, plan } = fetcher;
  // Further connections wait for the first bytes: whoever reads them should not stand behind three handshakes.
  let onFirst: (() => void) | undefined = opened.parallel ? () => further.begin() : undefined;
  let { body, span } = opened;
  for (;;) {
    let next: Promise<BlobBody> | undefined;
    {
      await using owned = body;
      await take(fetcher, owned, span, onFirst);
      onFirst = undefined;
      if (download.size === undefined || download.complete) return;
      span = opened.parallel
        ? claimPiece(fetcher)
        : plan.claimRest(download.file.arrived, download.size);
      if (span === undefined) return;
      // Before the connection is given back, so that only those go first who come first.
      next = openPiece(fetcher, span);
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
async function openFirst(fetcher: Fetcher): Promise<Opened> {
  const { download, url, plan } = fetcher;
  const { parts } = download;
  const { arrived } = download.file;
  const size = download.size;
  const inPieces = parts.connectionsPerBlob > 1;
  let span: ByteSpan | undefined;
  if (size !== undefined) span = inPieces ? claimPiece(fetcher) : plan.claimRest(arrived, size);
  else if (inPieces && arrived.length === 0)
    span = plan.claim([], parts.pieceBytes, parts.pieceBytes, []);
  try {
    const whole = span === undefined || (span.start === 0 && span.end + 1 === size);
    let body = whole ? await open(fetcher, {}) : await openRange(fetcher, span as ByteSpan);
    if (body.partial && body.total === undefined && size === undefined) {
      // `0-99/*`: a piece that does not say of how much; the end of the whole is known by its coming.
      await body[Symbol.asyncDispose]();
      body = await open(fetcher, {});
    }
    try {
      await download.announce(body.total, url.host);
    } catch (error) {
      await body[Symbol.asyncDispose]();
      throw error;
    }
    const total = download.size;
    if (span !== undefined && (!body.partial || total === undefined || span.end >= total)) {
      plan.release(span);
      const start = span.start;
      if (total === undefined) span = undefined;
      else
        span = body.partial
          ? plan.claim(arrived, total, pieceBytesOf(fetcher), [start])
          : plan.claimRest(arrived, total);
    }
    const parallel = inPieces && body.partial && total !== undefined;
    return { body, span, ranges: body.ranges, parallel };
  } catch (error) {
    if (span !== undefined) plan.release(span);
    throw error;
  }
}

/** Large blobs come in pieces of the configured size, smaller ones in such as take longer than a few round trips. */
function pieceBytesOf({ download, url }: Fetcher): number {
  const { pieceBytes, parallelAboveBytes, pace } = download.parts;
  const size = download.size ?? Number.POSITIVE_INFINITY;
  return size > parallelAboveBytes ? pieceBytes : pace.pieceBytes(url.host, pieceBytes);
}

function claimPiece(fetcher: Fetcher): ByteSpan | undefined {
  const { download, plan } = fetcher;
  return plan.claim(
    download.file.arrived,
    download.size as number,
    pieceBytesOf(fetcher),
    download.waitingPositions,
  );
}

/** A range; where upstream refuses ranges outright (400, 416, 501), the whole from its beginning. */
async function openRange(fetcher: Fetcher, span: ByteSpan): Promise<BlobBody> {
  try {
    return await open(fetcher, { range: span });
  } catch (error) {
    if (!(error instanceof UpstreamFailure) || ![400, 416, 501].includes(error.status ?? 0))
      throw error;
    return open(fetcher, {});
  }
}

async function open(fetcher: Fetcher, options: BlobOptions): Promise<BlobBody> {
  const { download, url } = fetcher;
  const { rule, upstreamRepository: repository, digest } = download.request;
  const body = await download.parts.upstream.openBlob(
    { rule, url, repository },
    digest,
    { ...options, demand: download.demand },
    download.signal,
  );
  download.parts.pace.answered(url.host, body.answeredAfterMs);
  fetcher.location = body.location;
  return body;
}

/** Ends the claim where the piece can't be had. */
async function openPiece(fetcher: Fetcher, span: ByteSpan, place?: BlobPlace): Promise<BlobBody> {
  const { location } = fetcher;
  try {
    return await open(fetcher, {
      range: span,
      ...(location === undefined ? {} : { location }),
      ...(place === undefined ? {} : { place }),
    });
  } catch (error) {
    fetcher.plan.release(span);
    throw error;
  }
}

/** Reads a body into the file; the claim ends with it, whatever happens. */
async function take(
  { download, url, plan }: Fetcher,
  body: BlobBody,
  span: ByteSpan | undefined,
  onFirst?: () => void,
): Promise<void> {
  const { clock, pace } = download.parts;
  try {
    if (body.total !== undefined && download.size !== undefined && body.total !== download.size) {
      await download.announce(body.total, url.host);
    }
    const startedAt = clock.elapsed();
    const end = await pump(download, body, span, onFirst);
    pace.arrived(url.host, end - body.start, clock.elapsed() - startedAt);
    if (download.size === undefined) await download.announce(end, url.host);
  } finally {
    if (span !== undefined) plan.release(span);
  }
}

/** Connections beside a download's first: those that nobody waits for, a piece each. */
interface FurtherConnections {
  /** From now on. */
  begin(): void;
  /** The first connection has a new piece: where a further one failed, others are tried again. */
  goOn(): void;
  /** Takes no more, and waits for those under way. */
  end(): Promise<void>;
}

function createFurtherConnections(fetcher: Fetcher): FurtherConnections {
  const { download, url, plan } = fetcher;
  const { upstream, connectionsPerBlob } = download.parts;
  const running = new Set<Promise<void>>();
  let offer: Disposable | undefined;
  let failed = false;
  let ended = false;

  /** It fails quietly: what it leaves undone, the first connection or the next turn fetches. */
  async function fetchPiece(place: BlobPlace, span: ByteSpan): Promise<void> {
    try {
      await using body = await openPiece(fetcher, span, place);
      await take(fetcher, body, span);
    } catch {
      failed = true;
    }
  }

  const taker: PlaceTaker = {
    get wanted() {
      return download.demand.wanted;
    },
    get load() {
      if (failed || download.signal.aborted || running.size >= connectionsPerBlob - 1) return 0;
      const bytes = plan.unclaimed(download.file.arrived, download.size ?? 0);
      return bytes / (running.size + 2);
    },
    take(place) {
      const span = claimPiece(fetcher);
      if (span === undefined) return place[Symbol.dispose]();
      const piece = fetchPiece(place, span).finally(() => {
        running.delete(piece);
        upstream.reconsider(url.host);
      });
      running.add(piece);
    },
  };

  return {
    begin() {
      if (!ended) offer ??= upstream.offerPlaces({ rule: download.request.rule, url }, taker);
    },
    goOn() {
      if (!failed) return;
      failed = false;
      upstream.reconsider(url.host);
    },
    async end() {
      ended = true;
      offer?.[Symbol.dispose]();
      await Promise.all(running);
    },
  };
}
