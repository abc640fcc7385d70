import { TimedMemory } from '../../coordination/timed-memory.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { PullRule, UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import { unusable, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Clock } from '../../ports/clock.ts';
import type { UpstreamTarget } from '../../ports/upstream.ts';

const restFirstMs = 1000;
const restMaxMs = 60_000;
const restsMax = 10_000;

/** A repository of a rule's upstream. */
export interface UpstreamRepository {
  readonly rule: PullRule;
  readonly upstreamRepository: RepositoryName;
}

/** A blob or a manifest there. */
export interface UpstreamContent extends UpstreamRepository {
  readonly digest: Digest;
}

/**
 * Which of a rule's URLs may be asked for a digest: one that gave wrong bytes rests 1 s, doubling to 60 s. In the repository
 * that gave them alone: a registry may be shared by tenants who don't know each other.
 */
export class UpstreamSources {
  /** With how long each rests, or rested last, in ms. */
  readonly #resting: TimedMemory<number>;

  constructor(clock: Clock) {
    this.#resting = new TimedMemory(clock, { entriesMax: restsMax });
  }

  /** The rule's URLs in order, without those that rest for this digest. */
  awake({ rule, upstreamRepository }: UpstreamRepository, digest: Digest): readonly UpstreamUrl[] {
    return rule.urls.filter(
      (url) => this.#resting.get(keyOf(url, upstreamRepository, digest)) === undefined,
    );
  }

  /** The URL gave wrong bytes for the digest in this repository of upstream's. */
  rest(url: UpstreamUrl, upstreamRepository: RepositoryName, digest: Digest): void {
    const key = keyOf(url, upstreamRepository, digest);
    const ms = Math.min((this.#resting.last(key) ?? restFirstMs / 2) * 2, restMaxMs);
    this.#resting.set(key, ms, ms);
  }
}

function keyOf(url: UpstreamUrl, repository: RepositoryName, digest: Digest): string {
  return `${url.origin} ${repository} ${digest}`;
}

/**
 * Asks the rule's URLs in turn until one answers. What the first said is thrown when none does: the rule's own upstream
 * decides, a mirror that lacks something proves nothing.
 */
export async function askInTurn<T>(
  { rule, upstreamRepository: repository }: UpstreamRepository,
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
  return unusable(
    'every upstream URL gave wrong bytes for this digest a moment ago',
    'wrongDigest',
    '',
  );
}
