import { LRUCache } from 'lru-cache';
import type { UpstreamUrl } from '../domain/pull-rule.ts';
import { answerOf, UpstreamFailure } from '../domain/upstream-failure.ts';
import { RegistryError } from '../domain/errors.ts';
import type { Cache, PullRequest, TagsAnswer } from './cache.ts';
import type { FetchManifestParts, RuledRequest } from './fetch-manifest.ts';
import { memoryKey, repositoryKey } from './keys.ts';
import { isRuled } from './pull-manifest.ts';
import { SingleFlight, waitUnder } from './single-flight.ts';
import { askInTurn } from './upstream-sources.ts';
import { staleDetail } from './tag-freshness.ts';

const tagsReadMax = 10_000;
const pagesMax = 100;
const pageSize = 1000;
const listsMax = 500;
const listKnownForMs = 60_000;

type Parts = Pick<FetchManifestParts, 'upstream' | 'metadata' | 'clock' | 'signal'>;

/** An upstream's whole list, sorted; `undefined` when it is longer than 10,000 tags. */
type WholeList = readonly string[] | undefined;

/** Tags of upstream and of ours together (design.md §3, "tags/list"). */
export function createTagLister(parts: Parts): Pick<Cache, 'listTags'> & { clear(): void } {
  const lists = new LRUCache<string, { list: { tags: WholeList }; until: number }>({
    max: listsMax,
  });
  const flights = new SingleFlight<WholeList>();

  async function readWhole(request: RuledRequest): Promise<WholeList> {
    const { rule, upstreamRepository: repository } = request.target;
    return askInTurn(rule.urls, parts.signal, (url) => readPages({ rule, url, repository }));
  }

  async function readPages(target: {
    rule: RuledRequest['target']['rule'];
    url: UpstreamUrl;
    repository: RuledRequest['target']['upstreamRepository'];
  }): Promise<WholeList> {
    const tags = new Set<string>();
    let last: string | undefined;
    for (let page = 0; page < pagesMax; page += 1) {
      const answer = await parts.upstream.listTags(
        target,
        { n: pageSize, ...(last === undefined ? {} : { last }) },
        parts.signal,
      );
      const before = tags.size;
      for (const tag of answer.tags) tags.add(tag);
      if (tags.size > tagsReadMax) return undefined;
      if (!answer.more || tags.size === before) return sorted(tags);
      last = answer.tags.at(-1);
    }
    return undefined;
  }

  async function whole(
    request: RuledRequest,
    signal: AbortSignal,
  ): Promise<{ tags: WholeList; verdict: 'hit' | 'miss' | 'coalesced' }> {
    const key = memoryKey(request, 'tags');
    const known = lists.get(key);
    if (known !== undefined && known.until > parts.clock.elapsed())
      return { ...known.list, verdict: 'hit' };
    const { promise, joined } = flights.join(key, async () => {
      const tags = await readWhole(request);
      lists.set(key, { list: { tags }, until: parts.clock.elapsed() + listKnownForMs });
      return tags;
    });
    return { tags: await waitUnder(promise, signal), verdict: joined ? 'coalesced' : 'miss' };
  }

  /** `n` tags after `last` of a sorted list and of ours. */
  async function page(
    request: PullRequest,
    upstream: readonly string[],
    n: number,
    last: string,
  ): Promise<{ tags: string[]; more: boolean }> {
    const ours = await parts.metadata.listTags(repositoryKey(request), last, n + 1);
    const theirs = upstream.filter((tag) => tag > last).slice(0, n + 1);
    const tags = sorted(new Set([...theirs, ...ours]));
    return { tags: tags.slice(0, n), more: tags.length > n };
  }

  async function passedOn(
    request: RuledRequest,
    n: number,
    last: string,
    signal: AbortSignal,
  ): Promise<TagsAnswer> {
    const { rule, upstreamRepository: repository } = request.target;
    const answer = await askInTurn(rule.urls, signal, (url) =>
      parts.upstream.listTags(
        { rule, url, repository },
        { n, ...(last === '' ? {} : { last }) },
        signal,
      ),
    );
    return { ...answer, outcome: { verdict: 'bypass', upstreamStatus: 200 } };
  }

  return {
    clear: () => lists.clear(),
    listTags: async (request, signal) => {
      const { n, last } = request;
      if (!isRuled(request))
        return heldOnly(await page(request, [], n, last), request, {
          verdict: 'hit',
          detail: 'no rule',
        });
      try {
        const { tags, verdict } = await whole(request, signal);
        if (tags === undefined) return await passedOn(request, n, last, signal);
        return { ...(await page(request, tags, n, last)), outcome: { verdict } };
      } catch (error) {
        if (!(error instanceof UpstreamFailure)) throw error;
        const ours = await page(request, [], n, last);
        if (ours.tags.length === 0 && last === '') throw answerOf(error, 'tags');
        return { ...ours, outcome: { verdict: 'stale', detail: staleDetail(error.kind) } };
      }
    },
  };
}

function heldOnly(
  ours: { tags: string[]; more: boolean },
  request: PullRequest & { last: string },
  outcome: TagsAnswer['outcome'],
): TagsAnswer {
  if (ours.tags.length > 0 || request.last !== '') return { ...ours, outcome };
  throw new RegistryError('nameUnknown', 'repository unknown', {
    detail: { name: request.target.repository },
  });
}

/** Byte order, which for tags is the order of their UTF-16 units. */
function sorted(tags: Iterable<string>): string[] {
  return [...tags].toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
