import type { ByteSpan } from '../domain/byte-source.ts';
import type { UpstreamUrl } from '../domain/pull-rule.ts';
import { UpstreamFailure } from '../domain/upstream-failure.ts';
import type { BlobBody, BlobLocation, BlobOptions } from '../ports/upstream.ts';
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
  const plan = createPiecePlan(parts.pieceBytes);
  let failures: UpstreamFailure[] = [];
  let everProgressed = false;
  for (let turn = 0; !download.complete;) {
    const urls = parts.sources.awake(request.rule, request.digest);
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

/** One URL's turn: a first connection, and further ones for pieces where upstream serves ranges and the blob is large. */
async function fetchFrom(download: Download, url: UpstreamUrl, plan: PiecePlan): Promise<void> {
  const opened = await openFirst(download, url, plan);
  const extras = new Set<Promise<void>>();
  const fetcher = { download, url, plan, location: opened.body.location };
  try {
    // Further connections wait for the first bytes: whoever reads them should not stand behind three handshakes.
    const onFirst = opened.parallel ? () => addExtras(fetcher, extras) : undefined;
    await take(fetcher, opened.body, opened.span, onFirst);
    for (;;) {
      if (download.size === undefined || download.complete) break;
      const span = opened.ranges
        ? claimNext(download, plan, opened.parallel)
        : plan.claimRest(download.file.arrived, download.size);
      if (span === undefined) break;
      if (opened.parallel) addExtras(fetcher, extras);
      const body = await openPiece(fetcher, span, false);
      if (body !== undefined) await take(fetcher, body, span);
    }
  } catch (error) {
    if (!(error instanceof UpstreamFailure))
      download.pause(error instanceof Error ? error : new Error(String(error)));
    throw error;
  } finally {
    await Promise.allSettled(extras);
  }
}

interface Fetcher {
  readonly download: Download;
  readonly url: UpstreamUrl;
  readonly plan: PiecePlan;
  location: BlobLocation;
}

interface Opened {
  readonly body: BlobBody;
  readonly span: ByteSpan | undefined;
  readonly ranges: boolean;
  readonly parallel: boolean;
}

/** The first request of a turn: plain for a blob known to be small, else a first piece by range, plain where that is refused. */
async function openFirst(download: Download, url: UpstreamUrl, plan: PiecePlan): Promise<Opened> {
  const { parts } = download;
  const { arrived } = download.file;
  const size = download.size;
  const large = size === undefined || size > parts.parallelAboveBytes;
  let span: ByteSpan | undefined;
  if (size !== undefined) {
    span = large
      ? plan.claim(arrived, size, download.waitingPositions)
      : plan.claimRest(arrived, size);
  } else if (parts.connectionsPerBlob > 1 && arrived.length === 0) {
    span = plan.claim([], parts.pieceBytes, []);
  }
  try {
    const whole = span === undefined || (span.start === 0 && span.end + 1 === size);
    const body = whole
      ? await open(download, url, {})
      : await openRange(download, url, span as ByteSpan);
    if (body === undefined) throw new Error('a first connection was not waited for');
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
        span = body.partial ? plan.claim(arrived, total, [start]) : plan.claimRest(arrived, total);
    }
    const parallel =
      body.partial && parts.connectionsPerBlob > 1 && (total ?? 0) > parts.parallelAboveBytes;
    return { body, span, ranges: body.ranges, parallel };
  } catch (error) {
    if (span !== undefined) plan.release(span);
    throw error;
  }
}

/** A range; where upstream refuses ranges outright (400, 416, 501), the whole from its beginning. */
async function openRange(
  download: Download,
  url: UpstreamUrl,
  span: ByteSpan,
): Promise<BlobBody | undefined> {
  try {
    return await open(download, url, { range: span });
  } catch (error) {
    if (!(error instanceof UpstreamFailure) || ![400, 416, 501].includes(error.status ?? 0))
      throw error;
    return open(download, url, {});
  }
}

function open(
  download: Download,
  url: UpstreamUrl,
  options: BlobOptions,
): Promise<BlobBody | undefined> {
  const { rule, upstreamRepository: repository, digest } = download.request;
  return download.parts.upstream.openBlob(
    { rule, url, repository },
    digest,
    options,
    download.signal,
  );
}

function claimNext(download: Download, plan: PiecePlan, parallel: boolean): ByteSpan | undefined {
  const size = download.size as number;
  const { arrived } = download.file;
  return parallel
    ? plan.claim(arrived, size, download.waitingPositions)
    : plan.claimRest(arrived, size);
}

async function openPiece(
  fetcher: Fetcher,
  span: ByteSpan,
  onlyIfIdle: boolean,
): Promise<BlobBody | undefined> {
  const { download, url, plan, location } = fetcher;
  try {
    const body = await open(download, url, { range: span, location, onlyIfIdle });
    if (body === undefined) plan.release(span);
    else fetcher.location = body.location;
    return body;
  } catch (error) {
    plan.release(span);
    throw error;
  }
}

/** Reads a body into the file; the claim ends with it, whatever happens. */
async function take(
  fetcher: Fetcher,
  body: BlobBody,
  span: ByteSpan | undefined,
  onFirst?: () => void,
): Promise<void> {
  const { download, url, plan } = fetcher;
  try {
    await using owned = body;
    if (owned.total !== undefined && download.size !== undefined && owned.total !== download.size) {
      await download.announce(owned.total, url.host);
    }
    const end = await pump(download, owned, span, onFirst);
    if (download.size === undefined) await download.announce(end, url.host);
  } finally {
    if (span !== undefined) plan.release(span);
  }
}

/** Starts as many further connections as nobody else waits for; each takes pieces until none is left. */
function addExtras(fetcher: Fetcher, extras: Set<Promise<void>>): void {
  while (extras.size < fetcher.download.parts.connectionsPerBlob - 1) {
    const span = claimNext(fetcher.download, fetcher.plan, true);
    if (span === undefined) return;
    const extra = fetchPieces(fetcher, span).finally(() => extras.delete(extra));
    extra.catch(() => {});
    extras.add(extra);
  }
}

/** A further connection's life. It ends quietly: what it leaves undone, the first connection or the next turn fetches. */
async function fetchPieces(fetcher: Fetcher, first: ByteSpan): Promise<void> {
  let span: ByteSpan | undefined = first;
  while (span !== undefined && !fetcher.download.signal.aborted) {
    const body: BlobBody | undefined = await openPiece(fetcher, span, true);
    if (body === undefined) return;
    await take(fetcher, body, span);
    span = claimNext(fetcher.download, fetcher.plan, true);
  }
}
