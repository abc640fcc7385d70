import { type Digest, parseDigest } from '../domain/digest.ts';
import type { Descriptor } from '../domain/manifest.ts';
import { mediaTypes } from '../domain/media-type.ts';
import type { UpstreamTarget } from '../ports/upstream.ts';
import { discard } from './body-reading.ts';
import { askSmall, type Calls, received, small } from './calls.ts';
import type { Answer } from './exchange.ts';
import { failure } from './failures.ts';
import { nextLinkOf, readObject } from './json-answer.ts';
import { failureOfStatus, isHtml } from './statuses.ts';

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
  const { repository } = target;
  return small(calls, target, signal, async (within) => {
    const found: Descriptor[] = [];
    let path: string | undefined = `/v2/${repository}/referrers/${subject}`;
    let bytesLeft = allBytesMax;
    for (
      let page = 0;
      path !== undefined && page < pagesMax && found.length < referrersMax;
      page += 1
    ) {
      const answer = await ask(calls, target, path, within);
      if (page === 0 && (absent.has(answer.status) || (answer.status === 200 && isHtml(answer)))) {
        discard(answer, calls.clock);
        return undefined;
      }
      const read = await readPage(calls, target, answer, Math.min(pageBytesMax, bytesLeft));
      bytesLeft -= read.bytes;
      found.push(...read.descriptors.slice(0, referrersMax - found.length));
      path = read.next;
    }
    return found;
  });
}

function ask(
  calls: Calls,
  target: UpstreamTarget,
  path: string,
  signal: AbortSignal,
): Promise<Answer> {
  const headers = { accept: mediaTypes.ociIndex };
  const { repository } = target;
  return askSmall(
    calls,
    target,
    { repository, kind: 'referrers', method: 'GET', path, headers },
    signal,
  );
}

async function readPage(
  calls: Calls,
  { url, repository }: UpstreamTarget,
  answer: Answer,
  bytesMax: number,
): Promise<{
  readonly descriptors: readonly Descriptor[];
  readonly bytes: number;
  readonly next: string | undefined;
}> {
  const asked = `referrers of ${url.host}/${repository}`;
  if (answer.status !== 200) throw await failureOfStatus(answer, asked, url.host, calls.clock);
  const { fields, bytes } = await readObject(answer, bytesMax, asked, url.host);
  received(calls, url.host, bytes);
  const manifests = fields['manifests'];
  if (!Array.isArray(manifests))
    throw failure(`${asked}: no index`, 'invalid', 'badJson', url.host, { status: 200 });
  const descriptors = manifests.flatMap((entry: unknown) => readDescriptor(entry) ?? []);
  return { descriptors, bytes, next: nextPath(answer, url.origin, asked, url.host) };
}

/** The next page's path at the same origin; a link elsewhere is refused. */
function nextPath(
  answer: Answer,
  origin: string,
  asked: string,
  upstream: string,
): string | undefined {
  const link = nextLinkOf(answer);
  if (link === undefined) return undefined;
  const next = URL.parse(link, origin);
  if (next === null || next.origin !== new URL(origin).origin) {
    throw failure(`${asked}: the next page is elsewhere`, 'invalid', 'redirectRefused', upstream);
  }
  return next.pathname + next.search;
}

/** `undefined` for what is no descriptor; unknown members are left behind. */
function readDescriptor(entry: unknown): Descriptor | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined;
  const { mediaType, digest, size, artifactType, annotations } = entry as Readonly<
    Record<string, unknown>
  >;
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
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const texts = Object.entries(value).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return Object.fromEntries(texts);
}
