import { isObject } from '../../domain/json.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { parseDigest } from '../../domain/names/digest.ts';
import type { Holding } from '../../coordination/fair-memory.ts';
import type { Descriptor } from '../../domain/manifests/manifest.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import { unusable, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { UpstreamTarget } from '../../ports/upstream.ts';
import type { Place } from '../asking.ts';
import { discard } from '../wire/body-reading.ts';
import type { Calls } from '../calls.ts';
import { askAt, ownPlace, received, smallRequest } from '../calls.ts';
import type { Answer } from '../wire/exchange.ts';
import { nextPlaceOf, readObject } from './json-answer.ts';
import { readWithin } from './list-memory.ts';
import { failureOfStatus } from '../statuses.ts';

const referrersMax = 10_000;
const pagesMax = 100;
const pageBytesMax = 4 * 1024 * 1024;
const allBytesMax = 16 * 1024 * 1024;

/** Statuses by which registries say that they have no such API (404 by the specification). */
const absent: ReadonlySet<number> = new Set([400, 404, 405, 406, 410, 501]);

/** The port's `listReferrers` (distribution-spec, "Listing Referrers"). */
export function listReferrers(
  calls: Calls,
  target: UpstreamTarget,
  subject: Digest,
  signal: AbortSignal,
): Promise<readonly Descriptor[] | undefined> {
  const { repository, url } = target;
  const { lists } = calls;
  const read = async (
    holding: Holding,
    within: AbortSignal,
  ): Promise<readonly Descriptor[] | undefined> => {
    const taken = (bytes: number): void => holding.add(bytes);
    const found: Descriptor[] = [];
    const seen = new Set<string>();
    let place: Place | undefined = ownPlace(target, `/v2/${repository}/referrers/${subject}`);
    let bytesLeft = allBytesMax;
    while (place !== undefined && !seen.has(place.url.href) && seen.size < pagesMax) {
      const isFirst = seen.size === 0;
      seen.add(place.url.href);
      const bytesMax = Math.min(pageBytesMax, bytesLeft);
      const page: Page | undefined = await readPage(
        { calls, target, taken },
        place,
        bytesMax,
        within,
      );
      if (page === undefined && isFirst) return undefined;
      if (page === undefined) throw brokenOff(target);
      bytesLeft -= page.bytes;
      found.push(...page.descriptors.slice(0, referrersMax - found.length));
      place = found.length < referrersMax ? page.next : undefined;
    }
    return found;
  };
  return smallRequest(calls, target, signal, (within) => readWithin(lists, url.host, within, read));
}

interface Reading {
  readonly calls: Calls;
  readonly target: UpstreamTarget;
  readonly taken: (bytes: number) => void;
}

interface Page {
  readonly descriptors: readonly Descriptor[];
  readonly bytes: number;
  readonly next: Place | undefined;
}

/** `undefined` where there is no such API: by its status, or by an answer that is no index, as single-page applications give. */
async function readPage(
  { calls, target, taken }: Reading,
  from: Place,
  bytesMax: number,
  signal: AbortSignal,
): Promise<Page | undefined> {
  const { repository, url } = target;
  const headers = { accept: mediaTypes.ociIndex };
  const request = { repository, kind: 'referrers', method: 'GET', headers } as const;
  const { answer, place } = await askAt(calls, target, request, from, signal);
  if (absent.has(answer.status)) {
    discard(answer, calls.clock);
    return undefined;
  }
  const asked = nameOf(target);
  if (answer.status !== 200) throw await failureOfStatus(answer, asked, url.host, calls.clock);
  const read = await readIndex(answer, bytesMax, asked, url.host, taken);
  if (read === undefined) return undefined;
  received(calls, url.host, read.bytes);
  const descriptors = read.manifests.flatMap((entry: unknown) => readDescriptor(entry) ?? []);
  return { descriptors, bytes: read.bytes, next: nextPlaceOf(answer, place) };
}

async function readIndex(
  answer: Answer,
  bytesMax: number,
  asked: string,
  upstream: string,
  taken: (bytes: number) => void,
): Promise<{ readonly manifests: readonly unknown[]; readonly bytes: number } | undefined> {
  try {
    const { fields, bytes } = await readObject(answer, bytesMax, asked, upstream, taken);
    const { manifests } = fields;
    return Array.isArray(manifests) ? { manifests, bytes } : undefined;
  } catch (error) {
    if (error instanceof UpstreamFailure && error.reason === 'html') return undefined;
    throw error;
  }
}

function nameOf({ url, repository }: UpstreamTarget): string {
  return `referrers of ${url.host}/${repository}`;
}

/** Half of a list would pass for all of it. */
function brokenOff(target: UpstreamTarget): UpstreamFailure {
  const { host } = target.url;
  return unusable(`${nameOf(target)}: a further page is no index`, 'badJson', host);
}

/** `undefined` for what is no descriptor; unknown members are left behind. */
function readDescriptor(entry: unknown): Descriptor | undefined {
  if (!isObject(entry)) return undefined;
  const { mediaType, digest, size, artifactType, annotations } = entry;
  const parsed = typeof digest === 'string' ? parseDigest(digest) : undefined;
  if (
    typeof mediaType !== 'string' ||
    parsed === undefined ||
    !Number.isSafeInteger(size) ||
    Number(size) < 0
  ) {
    return undefined;
  }
  const texts = readAnnotations(annotations);
  return {
    mediaType,
    digest: parsed,
    size: Number(size),
    ...(typeof artifactType === 'string' ? { artifactType } : {}),
    ...(texts === undefined ? {} : { annotations: texts }),
  };
}

function readAnnotations(value: unknown): Readonly<Record<string, string>> | undefined {
  if (!isObject(value)) return undefined;
  const texts = Object.entries(value).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return Object.fromEntries(texts);
}
