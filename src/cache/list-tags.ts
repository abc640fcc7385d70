import { LRUCache } from 'lru-cache';
import type { UpstreamUrl } from '../domain/pull-rule.ts';
import { answerOf, UpstreamFailure } from '../domain/upstream-failure.ts';
import { RegistryError } from '../domain/errors.ts';
import type { Cache, PullRequest, TagsAnswer } from './cache.ts';
import type { FetchManifestParts, RuledRequest } from './fetch-manifest.ts';
import { memoryKey, repositoryKey } from './keys.ts';
import type { NegativeMemory } from './negative-memory.ts';
import { isRuled } from './pull-manifest.ts';
import { SingleFlight, waitUnder, waitWithin } from './single-flight.ts';
import { askInTurn } from './upstream-sources.ts';
import { staleDetail } from './tag-freshness.ts';

const tagsReadMax = 10_000;
const pagesMax = 100;
const pageSize = 1000;
const listsMax = 500;
const listKnownForMs = 60_000;

interface Parts extends Pick<FetchManifestParts, 'upstream' | 'metadata' | 'clock' | 'signal'> {
  readonly negative: NegativeMemory;
}

/** An upstream's whole list, sorted; `undefined` when it is longer than 10,000 tags. */
type WholeList = readonly string[] | undefined;

export interface TagLister extends Pick<Cache, 'listTags'> {
  /** True where the upstream's list, read whole a moment ago, has the tag; nobody is asked. */
  readonly knowsUpstreamTag: (request: PullRequest, tag: string) => boolean;
  clear(): void;
}

/** Tags of upstream and of ours together (design.md §3, "tags/list"). */
export function createTagLister(parts: Parts): TagLister {
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
    const refused = parts.negative.get(key);
    if (refused !== undefined) throw refused;
    const { promise, joined } = flights.join(key, async () => {
      const tags = await readWhole(request).catch((error: unknown) => {
        parts.negative.note(key, 'tag', error);
        throw error;
      });
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
    const outcome = { verdict: 'bypass', upstreamStatus: 200 } as const;
    const theirs = sorted(answer.tags);
    // A page in an order of its own can't be joined: the next one would begin anywhere.
    if (theirs.some((tag, at) => tag !== answer.tags[at])) return { ...answer, outcome };
    const ours = await parts.metadata.listTags(repositoryKey(request), last, n + 1);
    const until = answer.more ? theirs.at(-1) : undefined;
    const tags = sorted(
      new Set([...theirs, ...ours.filter((tag) => until === undefined || tag < until)]),
    );
    return { tags: tags.slice(0, n), more: answer.more || tags.length > n, outcome };
  }

  /** Ours and upstream's; ours alone, and soon, where upstream fails or is slow and something was pushed here. */
  async function listRuled(
    request: RuledRequest & { readonly n: number; readonly last: string },
    signal: AbortSignal,
  ): Promise<TagsAnswer> {
    const { n, last } = request;
    const isPushed = (await parts.metadata.findRepository(repositoryKey(request)))?.pushed === true;
    try {
      const read = whole(request, signal);
      const { staleBudgetMs } = request.target.rule;
      const found = isPushed
        ? await waitWithin(read, staleBudgetMs, parts.clock, signal)
        : await read;
      if (found === undefined) return await ourPage(request, 'upstream timeout');
      const { tags, verdict } = found;
      if (tags === undefined) return await passedOn(request, n, last, signal);
      return { ...(await page(request, tags, n, last)), outcome: { verdict } };
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error;
      const ours = await ourPage(request, staleDetail(error.kind));
      if (ours.tags.length === 0 && last === '' && !isPushed) throw answerOf(error, 'tags');
      return ours;
    }
  }

  async function ourPage(
    request: PullRequest & { readonly n: number; readonly last: string },
    detail: string,
  ): Promise<TagsAnswer> {
    const ours = await page(request, [], request.n, request.last);
    return { ...ours, outcome: { verdict: 'stale', detail } };
  }

  /** Without a rule, or a right to import, there is what is held; a repository from which all was deleted is still one. */
  async function listHeld(
    request: PullRequest & { readonly n: number; readonly last: string },
  ): Promise<TagsAnswer> {
    const { n, last } = request;
    const ours = await page(request, [], n, last);
    const isHere =
      ours.tags.length > 0 ||
      last !== '' ||
      (await parts.metadata.findRepository(repositoryKey(request))) !== undefined;
    const detail = isRuled(request) ? 'held only' : 'no rule';
    if (isHere) return { ...ours, outcome: { verdict: 'hit', detail } };
    throw new RegistryError('nameUnknown', 'repository unknown', {
      detail: { name: request.target.repository },
    });
  }

  return {
    clear: () => lists.clear(),
    knowsUpstreamTag: (request, tag) => {
      const known = lists.get(memoryKey(request, 'tags'));
      if (known === undefined || known.until <= parts.clock.elapsed()) return false;
      return known.list.tags?.includes(tag) === true;
    },
    listTags: (request, signal) =>
      isRuled(request) && request.heldOnly !== true
        ? listRuled(request, signal)
        : listHeld(request),
  };
}

/** Byte order, which for tags is the order of their UTF-16 units. */
function sorted(tags: Iterable<string>): string[] {
  return [...tags].toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
