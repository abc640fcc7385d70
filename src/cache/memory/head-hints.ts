import { TimedMemory } from '../../coordination/timed-memory.ts';
import type { Reference } from '../../domain/names/reference.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ManifestHead, Upstream, UpstreamTarget } from '../../ports/upstream.ts';

const upstreamsMax = 1000;
/** A manifest that comes between its HEAD and its GET makes one such pair; two in a row are the upstream's way. */
const pairsMin = 2;
const uselessForMs = 600_000;

/**
 * Upstreams whose HEAD of a manifest fails (a 5xx too), or names no digest, although GET has the manifest: their tags are checked
 * by GET. For 10 min, then HEAD is tried once more: a GET counts as a pull where pulls are limited, and upstreams get repaired.
 */
export class HeadHints {
  /** By origin, how often in a row. */
  readonly #pairs: TimedMemory<number>;

  constructor(clock: Pick<Clock, 'elapsed'>) {
    this.#pairs = new TimedMemory(clock, { entriesMax: upstreamsMax });
  }

  isUseless({ origin }: UpstreamUrl): boolean {
    return (this.#pairs.get(origin) ?? 0) >= pairsMin;
  }

  /** HEAD named the digest. */
  noteUseful({ origin }: UpstreamUrl): void {
    this.#pairs.forget(origin);
  }

  /** HEAD did not name what GET then had. */
  noteUseless({ origin }: UpstreamUrl): void {
    this.#pairs.set(origin, (this.#pairs.last(origin) ?? 0) + 1, uselessForMs);
  }

  clear(): void {
    this.#pairs.clear();
  }
}

/** A registry's answer to a HEAD that is no manifest: any status but 429. It refuses no GET (ARCHITECTURE.md, "Registries as they are"). */
export function isHeadRefusal(error: unknown): error is UpstreamFailure {
  return (
    error instanceof UpstreamFailure &&
    error.status !== undefined &&
    error.kind !== 'rateLimited' &&
    error.reason === 'status'
  );
}

/** One that does not even say that it is not there, or not for us. */
export function saysNothing(error: unknown): boolean {
  return isHeadRefusal(error) && error.kind !== 'notFound' && error.kind !== 'denied';
}

/** What HEAD says of a tag; `undefined` where it says nothing at this upstream, or fails in a way that counts for nothing. */
export async function headTag(
  asked: { readonly heads: HeadHints; readonly upstream: Upstream; readonly signal: AbortSignal },
  target: UpstreamTarget,
  tag: Tag,
  countsForNothing: (error: unknown) => boolean,
): Promise<ManifestHead | undefined> {
  if (asked.heads.isUseless(target.url)) return undefined;
  try {
    return await asked.upstream.headManifest(target, { kind: 'tag', tag }, asked.signal);
  } catch (error) {
    if (countsForNothing(error)) return undefined;
    throw error;
  }
}

/** What upstream has under the reference now, by GET where its HEAD says no; for questions that keep nothing. */
export async function findManifestHead(
  upstream: Pick<Upstream, 'headManifest' | 'getManifest'>,
  target: UpstreamTarget,
  reference: Reference,
  signal: AbortSignal,
): Promise<ManifestHead> {
  try {
    return await upstream.headManifest(target, reference, signal);
  } catch (error) {
    if (!isHeadRefusal(error)) throw error;
    const fetched = await upstream.getManifest(target, reference, undefined, signal);
    if (fetched === undefined) throw error;
    const { digest, mediaType, bytes } = fetched;
    return { digest, mediaType, size: bytes.length };
  }
}
