import type { Digest } from '../../domain/names/digest.ts';
import type { UpstreamFailure } from '../../domain/upstream-failure.ts';
import { failure, unusable } from '../../domain/upstream-failure.ts';
import type {
  BlobBody,
  BlobDemand,
  BlobLocation,
  BlobOptions,
  BlobPlace,
  Origin,
  PlaceTaker,
  UpstreamTarget,
} from '../../ports/upstream.ts';
import type { Place, Question } from '../asking.ts';
import { ask } from '../asking.ts';
import { createBlobBody } from './blob-body.ts';
import { contentLengthOf, discard } from '../wire/body-reading.ts';
import type { Calls } from '../calls.ts';
import { askOrigin, ownPlace, smallRequest, reportFailure, throttled } from '../calls.ts';
import { answersRange, parseContentRange } from './content-range.ts';
import { deadlinesMs } from '../wire/deadlines.ts';
import { isCoded } from './content-coding.ts';
import { decodedBody } from './decoded-blob.ts';
import type { Answer } from '../wire/exchange.ts';
import { headerOf } from '../wire/exchange.ts';
import type { Slot } from '../wire/lanes.ts';
import type { Span } from './blob-body.ts';
import { failureOfStatus, isHtml, isWhole } from '../statuses.ts';

/** The port's `headBlob`. */
export function headBlob(
  calls: Calls,
  target: UpstreamTarget,
  digest: Digest,
  signal: AbortSignal,
): Promise<{ readonly size: number | undefined }> {
  const { repository, url } = target;
  return smallRequest(calls, target, signal, async (within) => {
    const asked = nameOf(target, digest);
    const path = pathOf(target, digest);
    const answer = await askOrigin(
      calls,
      target,
      { repository, kind: 'blob', method: 'HEAD', path },
      within,
    );
    if (answer.status !== 200) throw await failureOfStatus(answer, asked, url.host, calls.clock);
    discard(answer, calls.clock);
    // A page, as a captive portal gives it, or a coded form has a length of its own.
    return { size: isHtml(answer) || isCoded(answer) ? undefined : contentLengthOf(answer) };
  });
}

/** The port's `openBlob`. */
export async function openBlob(
  calls: Calls,
  target: UpstreamTarget,
  digest: Digest,
  options: BlobOptions,
  signal: AbortSignal,
): Promise<BlobBody> {
  let slot: Slot | undefined = options.place;
  try {
    signal.throwIfAborted();
    calls.wire.assertNotHeld(target.url.host, target);
    slot ??= await enter(calls, target, options.demand, signal);
    return await openIn(calls, target, digest, options, slot, signal);
  } catch (error) {
    slot?.[Symbol.dispose]();
    reportFailure(calls, target.url.host, error);
    throw error;
  }
}

/** Throws where a client waits for the blob and no connection comes free; what nobody waits for takes all the time that others need. */
async function enter(
  calls: Calls,
  { rule, url }: UpstreamTarget,
  demand: BlobDemand | undefined,
  signal: AbortSignal,
): Promise<Slot> {
  const entry = {
    limit: rule.maxConnections,
    get wanted() {
      return demand?.wanted ?? true;
    },
    waits: () => throttled(calls, url.host),
  };
  const late = new AbortController();
  let wasWanted = entry.wanted;
  let timer: Disposable;
  const step = (): void => {
    if (wasWanted && entry.wanted) late.abort(noConnection(url.host));
    wasWanted = entry.wanted;
    timer = calls.clock.after(deadlinesMs.laneStep, step);
  };
  timer = calls.clock.after(deadlinesMs.laneStep, step);
  try {
    return await calls.blobs.enter(url.host, entry, AbortSignal.any([signal, late.signal]));
  } finally {
    timer[Symbol.dispose]();
  }
}

function noConnection(host: string): UpstreamFailure {
  const message = `${host}: no connection came free`;
  return failure(message, 'timeout', 'totalTimeout', host);
}

/** The port's `offerPlaces`. */
export function offerPlaces(calls: Calls, { rule, url }: Origin, taker: PlaceTaker): Disposable {
  return calls.blobs.offer(url.host, {
    limit: rule.maxConnections,
    get wanted() {
      return taker.wanted;
    },
    get load() {
      return taker.load;
    },
    take: (slot) => taker.take(slot as BlobPlace),
  });
}

/** A location's signature runs out: these statuses say that it may have (T31). */
const expired: ReadonlySet<number> = new Set([401, 403, 404, 410]);

async function openIn(
  calls: Calls,
  target: UpstreamTarget,
  digest: Digest,
  options: BlobOptions,
  slot: Slot,
  signal: AbortSignal,
): Promise<BlobBody> {
  const question = questionOf(target, options);
  const askedAt = calls.clock.elapsed();
  const kept = options.location === undefined ? undefined : places.get(options.location);
  const own = ownPlace(target, pathOf(target, digest));
  let found = await ask(calls, question, kept ?? own, signal);
  if (kept !== undefined && expired.has(found.answer.status)) {
    discard(found.answer, calls.clock);
    found = await ask(calls, question, own, signal);
  }
  const { answer, place } = found;
  const answeredAfterMs = calls.clock.elapsed() - askedAt;
  const span = await spanOf(calls, target, digest, options, answer);
  const decoded = await decodedBody(answer, span, digest);
  return createBlobBody({
    ...(decoded ?? { ...span, body: answer.body }),
    answeredAfterMs,
    calls,
    upstream: target.url.host,
    location: locationOf(place),
    slot,
  });
}

function questionOf(target: UpstreamTarget, { range }: BlobOptions): Question {
  return {
    origin: target,
    repository: target.repository,
    kind: 'blob',
    method: 'GET',
    headers: range === undefined ? {} : { range: `bytes=${range.start}-${range.end ?? ''}` },
    pool: 'blobs',
    firstByteMs: deadlinesMs.blobFirstByte,
  };
}

/** Which bytes an answer holds. Throws, with the connection ended, where it is not what was asked. */
async function spanOf(
  calls: Calls,
  target: UpstreamTarget,
  digest: Digest,
  { range }: BlobOptions,
  answer: Answer,
): Promise<Span> {
  const { host } = target.url;
  const asked = nameOf(target, digest);
  if (!isWhole(answer.status) && answer.status !== 206)
    throw await failureOfStatus(answer, asked, host, calls.clock);
  const announced = contentLengthOf(answer);
  if (answer.status !== 206) {
    const ranges = /\bbytes\b/i.test(headerOf(answer, 'accept-ranges') ?? '');
    return { start: 0, total: announced, length: announced, partial: false, ranges };
  }
  const given = parseContentRange(headerOf(answer, 'content-range'));
  // A 206 to a request for the whole is the whole, where it says so.
  const wanted = range ?? { start: 0 };
  if (given === undefined || !answersRange(given, wanted)) {
    answer.body.destroy();
    throw unusable(`${asked}: another range came than was asked`, 'wrongRange', host, 206);
  }
  const length = given.end - given.start + 1;
  if (announced !== undefined && announced !== length) {
    answer.body.destroy();
    throw unusable(`${asked}: Content-Length and Content-Range disagree`, 'wrongLength', host, 206);
  }
  const partial = range !== undefined;
  return {
    start: given.start,
    total: given.total ?? (partial ? undefined : length),
    length,
    partial,
    ranges: true,
  };
}

/** Kept beside the opaque value, so that nobody prints a presigned URL by accident. */
const places = new WeakMap<BlobLocation, Place>();

function locationOf(place: Place): BlobLocation {
  const location = Object.freeze({}) as BlobLocation;
  places.set(location, place);
  return location;
}

function pathOf({ repository }: UpstreamTarget, digest: Digest): string {
  return `/v2/${repository}/blobs/${digest}`;
}

function nameOf({ url, repository }: UpstreamTarget, digest: Digest): string {
  return `${url.host}/${repository}@${digest}`;
}
