import { TimedMemory } from '../../coordination/timed-memory.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { PullRule, UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Clock } from '../../ports/clock.ts';
import type { UpstreamTarget } from '../../ports/upstream.ts';

const restFirstMs = 1000;
const restMaxMs = 60_000;
const restsMax = 10_000;

/**
 * Which of a rule's URLs may be asked for a digest: one that gave wrong bytes rests 1 s, doubling to 60 s. In the repository
 * that gave them alone: a registry may be shared by tenants who don't know each other.
 */
export interface UpstreamSources {
  /** The rule's URLs in order, without those that rest for this digest. */
  awake(from: BlobOrigin, digest: Digest): readonly UpstreamUrl[];
  /** The URL gave wrong bytes for the digest in this repository of upstream's. */
  rest(url: UpstreamUrl, upstreamRepository: RepositoryName, digest: Digest): void;
}

interface BlobOrigin {
  readonly rule: PullRule;
  readonly upstreamRepository: RepositoryName;
}

export function createUpstreamSources(clock: Clock): UpstreamSources {
  /** With how long each rests, or rested last, in ms. */
  const resting = new TimedMemory<number>(clock, { entriesMax: restsMax });
  const keyOf = (url: UpstreamUrl, repository: RepositoryName, digest: Digest): string =>
    `${url.origin} ${repository} ${digest}`;
  return {
    awake: ({ rule, upstreamRepository }, digest) =>
      rule.urls.filter((url) => resting.get(keyOf(url, upstreamRepository, digest)) === undefined),
    rest: (url, upstreamRepository, digest) => {
      const key = keyOf(url, upstreamRepository, digest);
      const ms = Math.min((resting.last(key) ?? restFirstMs / 2) * 2, restMaxMs);
      resting.set(key, ms, ms);
    },
  };
}

/**
 * Asks the rule's URLs in turn until one answers. What the first said is thrown when none does: the rule's own upstream
 * decides, a mirror that lacks something proves nothing.
 */
export async function askInTurn<T>(
  { rule, upstreamRepository: repository }: BlobOrigin,
  signal: AbortSignal,
  ask: (target: UpstreamTarget) => Promise<T>,
  urls: readonly UpstreamUrl[] = rule.urls,
): Promise<T> {
  let first: UpstreamFailure | undefined;
  for (const url of urls) {
    try {
      return await ask({ rule, url, repository });
    } catch (error) {
      if (!(error instanceof UpstreamFailure) || signal.aborted) throw error;
      first ??= error;
    }
  }
  throw first ?? everyUrlRests();
}

export function everyUrlRests(): UpstreamFailure {
  return new UpstreamFailure('every upstream URL gave wrong bytes for this digest a moment ago', {
    kind: 'invalid',
    reason: 'wrongDigest',
    upstream: '',
  });
}
