import type { Digest } from '../../domain/names/digest.ts';
import { isEmptyBlob } from '../../domain/names/digest.ts';
import type { PullRule } from '../../domain/rules/pull-rule.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { BlobBody, Upstream, UpstreamTarget } from '../../ports/upstream.ts';
import { askInTurn } from './upstream-sources.ts';

/** Statuses that refuse a range and not the blob. */
const rangeRefused: ReadonlySet<number> = new Set([400, 416, 501]);

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
  from: {
    readonly rule: PullRule;
    readonly upstreamRepository: RepositoryName;
    readonly digest: Digest;
  },
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
    if (!(error instanceof UpstreamFailure) || !rangeRefused.has(error.status ?? 0)) throw error;
    return upstream.openBlob(target, digest, {}, signal);
  });
}
