import type { Digest } from '../../domain/names/digest.ts';
import type { UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import { RegistryError } from '../../domain/errors.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { StoredTag } from '../../metadata/contract/metadata.ts';
import type { ManifestHead } from '../../ports/upstream.ts';
import type { FetchManifestParts, ManifestFetcher } from './fetch-manifest.ts';
import { isHeadsNo } from '../memory/head-hints.ts';
import { statusAfter } from '../memory/tag-freshness.ts';
import type { RuledRequest } from '../pull-request.ts';
import { isPrivate, repositoryKey, sourceOf } from '../pull-request.ts';

/** What one check of a tag at upstream came to. */
export type Revalidation =
  | { readonly kind: 'same'; readonly tag: StoredTag }
  | { readonly kind: 'moved'; readonly tag: StoredTag }
  /** Upstream's failure; `lost` is a new digest that could not be had, where there is one. */
  | { readonly kind: 'failed'; readonly failure: UpstreamFailure; readonly lost?: Digest };

/** How a tag stands before it is checked. */
export interface TagStanding {
  /** The manifest's bytes are here, so that a new one is fetched before the tag moves. */
  readonly held: boolean;
  /** The check may lift a stop, but not move the tag. */
  readonly immutable: boolean;
  /** The manifest itself is asked for by the tag: its digest was asked for, and can't be had. */
  readonly unreachable?: boolean;
}

/**
 * Asks the rule's first URL for the tag, once: HEAD, or a conditional GET where upstream's HEAD says no or names no digest.
 * Never throws an upstream failure.
 */
export async function revalidateTag(
  request: RuledRequest,
  tag: StoredTag,
  standing: TagStanding,
  given: FetchManifestParts,
  fetcher: ManifestFetcher,
): Promise<Revalidation> {
  const url = request.target.rule.urls[0] as UpstreamUrl;
  const stamp = given.changes.stamp(request);
  const remember = (known: StoredTag): void => given.memory.putTag(request, known, stamp);
  const parts: CheckParts = { ...given, remember };
  try {
    const checked = await check(request, tag, standing, url, parts, fetcher);
    await lift(request, parts);
    return checked;
  } catch (error) {
    const failure = asFailure(error, url);
    const status = statusAfter(failure);
    if (status !== undefined) await mark(request, tag, status, parts);
    return { kind: 'failed', failure };
  }
}

interface CheckParts extends FetchManifestParts {
  /** Under the stamp of the check's beginning: what was pushed or deleted meanwhile is not undone in memory. */
  remember(tag: StoredTag): void;
}

async function check(
  request: RuledRequest,
  tag: StoredTag,
  standing: TagStanding,
  url: UpstreamUrl,
  parts: CheckParts,
  fetcher: ManifestFetcher,
): Promise<Revalidation> {
  const { held, immutable } = standing;
  const head = standing.unreachable ? undefined : await headOf(request, tag, url, parts);
  if (head?.digest === undefined) {
    const checked = await checkByGet(request, tag, standing, url, parts, fetcher);
    if (!standing.unreachable) parts.heads.noteUseless(url);
    return checked;
  }
  parts.heads.noteUseful(url);
  if (immutable) return { kind: 'same', tag };
  if (head.digest === tag.digest)
    return { kind: 'same', tag: await validated(request, tag, url, parts) };
  const digest = head.digest;
  if (!held) {
    return moveTo(request, tag, url, parts, {
      digest,
      mediaType: head.mediaType ?? tag.mediaType,
      size: head.size ?? 0,
    });
  }
  try {
    const { promise } = fetcher.fetch(request, { kind: 'digest', digest });
    const manifest = await promise;
    return await moveTo(request, tag, url, parts, { ...manifest, size: manifest.bytes.length });
  } catch (error) {
    return { kind: 'failed', failure: asFailure(error, url), lost: digest };
  }
}

/** `undefined` where HEAD says nothing here: a no of it refuses no GET. */
async function headOf(
  request: RuledRequest,
  tag: StoredTag,
  url: UpstreamUrl,
  parts: CheckParts,
): Promise<ManifestHead | undefined> {
  if (parts.heads.isUseless(url)) return undefined;
  const { rule, upstreamRepository: repository } = request.target;
  const reference = { kind: 'tag', tag: tag.tag } as const;
  try {
    return await parts.upstream.headManifest({ rule, url, repository }, reference, parts.signal);
  } catch (error) {
    if (isHeadsNo(error)) return undefined;
    throw error;
  }
}

async function checkByGet(
  request: RuledRequest,
  tag: StoredTag,
  { held, immutable, unreachable }: TagStanding,
  url: UpstreamUrl,
  parts: CheckParts,
  fetcher: ManifestFetcher,
): Promise<Revalidation> {
  const { rule, upstreamRepository: repository } = request.target;
  const fetched = await parts.upstream.getManifest(
    { rule, url, repository },
    { kind: 'tag', tag: tag.tag },
    unreachable ? undefined : tag.digest,
    parts.signal,
  );
  if (immutable) return { kind: 'same', tag };
  if (fetched === undefined || (fetched.digest === tag.digest && held))
    return { kind: 'same', tag: await validated(request, tag, url, parts) };
  const manifest = await fetcher.store(request, fetched, { tag: tag.tag, url });
  const found = { ...manifest, size: manifest.bytes.length };
  const result = moved(request, tag, url, parts, found);
  return fetched.digest === tag.digest ? { ...result, kind: 'same' } : result;
}

type Found = Pick<StoredTag, 'digest' | 'mediaType' | 'size'>;

/** Moves the tag in metadata and memory; its history gains the digest. */
async function moveTo(
  request: RuledRequest,
  tag: StoredTag,
  url: UpstreamUrl,
  parts: CheckParts,
  found: Found,
): Promise<Revalidation> {
  const { digest, mediaType, size } = found;
  const next = {
    tag: tag.tag,
    digest,
    mediaType,
    size,
    source: sourceOf(url, request.target),
    validatedAt: parts.clock.now(),
  };
  await unfailing(parts, 'setTag', () =>
    parts.metadata.setTag({
      ...repositoryKey(request),
      ...next,
      private: isPrivate(request.target),
    }),
  );
  return moved(request, tag, url, parts, found);
}

function moved(
  request: RuledRequest,
  tag: StoredTag,
  url: UpstreamUrl,
  parts: CheckParts,
  { digest, mediaType, size }: Found,
): Revalidation & { readonly kind: 'moved' } {
  const source = sourceOf(url, request.target);
  const next: StoredTag = {
    tag: tag.tag,
    digest,
    mediaType,
    size,
    source,
    validatedAt: parts.clock.now(),
    status: 'ok',
    provenance: 'cached',
  };
  parts.remember(next);
  return { kind: 'moved', tag: next };
}

async function validated(
  request: RuledRequest,
  tag: StoredTag,
  url: UpstreamUrl,
  parts: CheckParts,
): Promise<StoredTag> {
  const next: StoredTag = {
    ...tag,
    source: sourceOf(url, request.target),
    validatedAt: parts.clock.now(),
    status: 'ok',
  };
  await unfailing(parts, 'validateTag', () =>
    parts.metadata.validateTag({
      ...repositoryKey(request),
      tag: tag.tag,
      source: next.source,
      validatedAt: next.validatedAt,
    }),
  );
  parts.remember(next);
  return next;
}

async function mark(
  request: RuledRequest,
  tag: StoredTag,
  status: StoredTag['status'],
  parts: CheckParts,
): Promise<void> {
  if (tag.status !== status) {
    await unfailing(parts, 'markTag', () =>
      parts.metadata.markTag({ ...repositoryKey(request), tag: tag.tag, status }),
    );
  }
  parts.remember({ ...tag, status });
  if (status === 'denied' && request.target.rule.onFailure.denied === 'stop') {
    await unfailing(parts, 'stopRepository', () =>
      parts.metadata.stopRepository({
        ...repositoryKey(request),
        reason: 'upstream denied',
        now: parts.clock.now(),
      }),
    );
    parts.stops.stop(request);
  }
}

/** A check that succeeded lifts what an earlier denial stopped. */
async function lift(request: RuledRequest, parts: CheckParts): Promise<void> {
  if (!(await parts.stops.isStopped(request))) return;
  await unfailing(parts, 'stopRepository', () =>
    parts.metadata.stopRepository({
      ...repositoryKey(request),
      reason: undefined,
      now: parts.clock.now(),
    }),
  );
  parts.stops.lift(request);
}

/** A failed metadata write never fails a pull: memory knows, the event tells. */
async function unfailing(
  parts: CheckParts,
  operation: string,
  write: () => Promise<unknown>,
): Promise<void> {
  try {
    await write();
  } catch (error) {
    parts.events.emit({ type: 'storageFailed', operation, message: String(error) });
  }
}

/** An unusable manifest is a failure of its upstream; what is neither is a fault of ours and passes through. */
export function asFailure(error: unknown, url: UpstreamUrl): UpstreamFailure {
  if (error instanceof UpstreamFailure) return error;
  if (error instanceof RegistryError && error.code === 'upstreamInvalid') {
    return new UpstreamFailure(error.message, {
      kind: 'invalid',
      reason: 'badJson',
      upstream: url.host,
      cause: error,
    });
  }
  throw error;
}
