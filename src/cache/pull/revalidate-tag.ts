import { RegistryError } from '../../domain/errors.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import { failure, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { StoredManifest, StoredTag } from '../../metadata/contract/rows.ts';
import type { UpstreamTarget } from '../../ports/upstream.ts';
import { headTag, isHeadRefusal } from '../memory/head-hints.ts';
import { cachedTag, statusAfter } from '../memory/tag-freshness.ts';
import type { RuledRequest } from '../pull-request.ts';
import { isPrivate, repositoryKey } from '../pull-request.ts';
import type { ManifestFetcher } from './fetch-manifest.ts';
import type { PullParts } from './pull-parts.ts';
import { tryWrite } from './pull-parts.ts';

/** What one check of a tag at upstream came to. */
export type Revalidation =
  | { readonly kind: 'same'; readonly tag: StoredTag }
  | { readonly kind: 'moved'; readonly tag: StoredTag }
  /** Upstream's failure; `lost` is a new digest that could not be had, where there is one. */
  | { readonly kind: 'failed'; readonly failure: UpstreamFailure; readonly lost?: Digest };

/** A tag before it is checked. */
export interface TagToCheck {
  readonly tag: StoredTag;
  /** The manifest's bytes are here, so that a new one is fetched before the tag moves. */
  readonly isHere: boolean;
  /** The check may lift a stop, but not move the tag. */
  readonly immutable: boolean;
  /** The manifest itself is asked for by the tag: its digest was asked for, and can't be had. */
  readonly unreachable: boolean;
}

/** A check under way. */
interface Check extends TagToCheck {
  readonly request: RuledRequest;
  readonly target: UpstreamTarget;
  /** Of the check's beginning: what was pushed or deleted meanwhile is not undone in memory. */
  readonly stamp: number;
}

export interface RevalidationParts extends PullParts {
  readonly fetcher: ManifestFetcher;
}

/**
 * Asks the rule's first URL for the tag, once: HEAD, or a conditional GET where upstream's HEAD says no or names no digest.
 * Never throws an upstream failure.
 */
export async function revalidateTag(
  parts: RevalidationParts,
  request: RuledRequest,
  toCheck: TagToCheck,
): Promise<Revalidation> {
  const { rule, upstreamRepository: repository } = request.target;
  const [url] = rule.urls;
  const stamp = parts.repositories.stamp(request);
  const check: Check = { ...toCheck, request, target: { rule, url, repository }, stamp };
  try {
    const result = await revalidate(parts, check);
    await liftStop(parts, request);
    return result;
  } catch (error) {
    const failure = asFailure(error, url);
    const status = statusAfter(failure);
    if (status !== undefined) await mark(parts, check, status);
    return { kind: 'failed', failure };
  }
}

async function revalidate(parts: RevalidationParts, check: Check): Promise<Revalidation> {
  const { request, tag, target } = check;
  // A no of HEAD refuses no GET.
  const head = check.unreachable ? undefined : await headTag(parts, target, tag.tag, isHeadRefusal);
  if (head?.digest === undefined) {
    const result = await revalidateByGet(parts, check);
    if (!check.unreachable) parts.heads.noteUseless(target.url);
    return result;
  }
  parts.heads.noteUseful(target.url);
  if (check.immutable) return { kind: 'same', tag };
  const { digest } = head;
  if (digest === tag.digest) return validate(parts, check);
  if (!check.isHere) {
    const { mediaType = tag.mediaType, size = 0 } = head;
    return move(parts, check, { digest, mediaType, size });
  }
  try {
    const manifest = await parts.fetcher.byDigest(request, digest).promise;
    return await move(parts, check, sized(manifest));
  } catch (error) {
    return { kind: 'failed', failure: asFailure(error, target.url), lost: digest };
  }
}

async function revalidateByGet(parts: RevalidationParts, check: Check): Promise<Revalidation> {
  const { request, tag, target } = check;
  const fetched = await parts.upstream.getManifest(
    target,
    { kind: 'tag', tag: tag.tag },
    check.unreachable ? undefined : tag.digest,
    parts.signal,
  );
  if (check.immutable) return { kind: 'same', tag };
  const isSame = fetched === undefined || fetched.digest === tag.digest;
  if (fetched === undefined || (isSame && check.isHere)) return validate(parts, check);
  const from = { tag: tag.tag, url: target.url };
  const found = sized(await parts.fetcher.store(request, fetched, from));
  const next = cachedTag(request, target.url, tag.tag, found, parts.clock.now());
  parts.repositories.putTag(request, next, check.stamp);
  return { kind: isSame ? 'same' : 'moved', tag: next };
}

type Found = Pick<StoredTag, 'digest' | 'mediaType' | 'size'>;

function sized({ digest, mediaType, bytes }: StoredManifest): Found {
  return { digest, mediaType, size: bytes.length };
}

/** Moves the tag in metadata and memory; its history gains the digest. */
async function move(parts: PullParts, check: Check, found: Found): Promise<Revalidation> {
  const { request, target, tag } = check;
  const moved = cachedTag(request, target.url, tag.tag, found, parts.clock.now());
  await keepTag(parts, request, moved, check.stamp);
  return { kind: 'moved', tag: moved };
}

/** Keeps what upstream's tag leads to now, in metadata and memory. `stamp`: the repository's as it was before that was found. */
export async function keepTag(
  parts: PullParts,
  request: RuledRequest,
  tag: StoredTag,
  stamp: number,
): Promise<void> {
  const isOthers = isPrivate(request.target);
  await tryWrite(parts, 'setTag', () =>
    parts.metadata.tags.setTag({ ...repositoryKey(request), ...tag, private: isOthers }),
  );
  parts.repositories.putTag(request, tag, stamp);
}

/** The same digest was seen again. */
async function validate(parts: PullParts, check: Check): Promise<Revalidation> {
  const { request, target, tag } = check;
  const { source, validatedAt } = cachedTag(request, target.url, tag.tag, tag, parts.clock.now());
  await tryWrite(parts, 'validateTag', () =>
    parts.metadata.tags.validateTag({
      ...repositoryKey(request),
      tag: tag.tag,
      source,
      validatedAt,
    }),
  );
  const next: StoredTag = { ...tag, source, validatedAt, status: 'ok' };
  parts.repositories.putTag(request, next, check.stamp);
  return { kind: 'same', tag: next };
}

async function mark(parts: PullParts, check: Check, status: StoredTag['status']): Promise<void> {
  const { metadata, repositories, clock } = parts;
  const { request, tag, stamp } = check;
  const key = repositoryKey(request);
  if (tag.status !== status)
    await tryWrite(parts, 'markTag', () => metadata.tags.markTag({ ...key, tag: tag.tag, status }));
  repositories.putTag(request, { ...tag, status }, stamp);
  if (status !== 'denied' || request.target.rule.onFailure.denied !== 'stop') return;
  const reason = 'upstream denied';
  await tryWrite(parts, 'stopRepository', () =>
    metadata.repositories.stopRepository({ ...key, reason, now: clock.now() }),
  );
  repositories.stop(request);
}

/** A check that succeeded lifts what an earlier denial stopped. */
async function liftStop(parts: PullParts, request: RuledRequest): Promise<void> {
  const { metadata, repositories, clock } = parts;
  if (!(await repositories.isStopped(request))) return;
  await tryWrite(parts, 'stopRepository', () =>
    metadata.repositories.stopRepository({
      ...repositoryKey(request),
      reason: undefined,
      now: clock.now(),
    }),
  );
  repositories.liftStop(request);
}

/** An unusable manifest is a failure of its upstream; what is neither is a fault of ours and passes through. */
export function asFailure(error: unknown, url: UpstreamUrl): UpstreamFailure {
  if (error instanceof UpstreamFailure) return error;
  if (error instanceof RegistryError && error.code === 'upstreamInvalid') {
    return failure(error.message, 'invalid', 'badJson', url.host, { cause: error });
  }
  throw error;
}
