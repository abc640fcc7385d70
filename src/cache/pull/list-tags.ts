import { LRUCache } from 'lru-cache';
import { answerOf, UpstreamFailure } from '../../domain/upstream-failure.ts';
import { RegistryError, repositoryUnknown } from '../../domain/errors.ts';
import { ListsBusy } from '../../domain/lists-busy.ts';
import { noRuleText } from '../../domain/rules/no-rule.ts';
import type { TagPage, TagPlace, UpstreamTarget } from '../../ports/upstream.ts';
import type { Cache, TagsAnswer, TagsRequest } from '../cache.ts';
import type { FetchManifestParts } from './fetch-manifest.ts';
import type { ListTurns } from './list-turns.ts';
import { sizeOfKey, sizeOfNames } from '../memory/memory-size.ts';
import type { NegativeMemory } from '../memory/negative-memory.ts';
import { isStopping, stoppedFailure } from '../memory/repository-stops.ts';
import { SingleFlight, waitUnder, waitWithin } from '../single-flight.ts';
import { askInTurn } from '../download/upstream-sources.ts';
import { staleDetail } from '../memory/tag-freshness.ts';
import { countingRecords } from '../whose-bytes.ts';
import type { PullRequest, RuledRequest } from '../pull-request.ts';
import { repositoryKey, ruledKey, isRuled } from '../pull-request.ts';

const tagsReadMax = 10_000;
/** Some give 20 to a page, whatever is asked for. */
const pagesMax = 500;
/** More is refused by some. */
const pageSizeMax = 1000;
/** Of all remembered lists; one of 10,000 tags of 128 characters takes 3 MiB. */
const listBytesMax = 32 * 1024 * 1024;
/** Tags of ours that are listed behind a list of upstream's that can't be joined with them. */
const oursMax = 10_000;
const listKnownForMs = 60_000;

interface Parts extends Pick<
  FetchManifestParts,
  'upstream' | 'metadata' | 'stops' | 'clock' | 'signal'
> {
  readonly negative: NegativeMemory;
  readonly turns: ListTurns;
}

/** An upstream's whole list, sorted; `undefined` when it is longer than 10,000 tags. */
type WholeList = readonly string[] | undefined;

export interface TagLister extends Pick<Cache, 'listTags'> {
  /** True where the upstream's list, read whole a moment ago, has the tag; nobody is asked. */
  readonly knowsUpstreamTag: (request: PullRequest, tag: string) => boolean;
  clear(): void;
}

/** Tags of upstream and of ours together (ARCHITECTURE.md, "Lists"). */
export function createTagLister(parts: Parts): TagLister {
  const lists = new LRUCache<string, { list: { tags: WholeList }; until: number }>({
    maxSize: listBytesMax,
    sizeCalculation: ({ list }, key) => sizeOfKey(key) + sizeOfNames(list.tags ?? []),
  });
  const flights = new SingleFlight<WholeList>();

  async function readWhole(request: RuledRequest): Promise<WholeList> {
    const { rule, upstreamRepository: repository } = request.target;
    return askInTurn(rule.urls, parts.signal, (url) =>
      parts.turns.run(url.host, (gather) => readPages({ rule, url, repository }, gather)),
    );
  }

  async function readPages(
    target: UpstreamTarget,
    gather: (bytes: number) => void,
  ): Promise<WholeList> {
    const tags = new Set<string>();
    const seen = new Set<string>();
    let answer = await firstPage(target);
    for (;;) {
      if (answer.tags.length > tagsReadMax) return undefined;
      gather(sizeOfNames(answer.tags));
      for (const tag of answer.tags) tags.add(tag);
      if (tags.size > tagsReadMax) return undefined;
      const { next } = answer;
      // A list that leads back into itself has no more to give.
      if (next === undefined || seen.has(next)) return sorted(tags);
      if (seen.size >= pagesMax) return undefined;
      seen.add(next);
      answer = await parts.upstream.listTags(target, { next }, parts.signal);
    }
  }

  /** By pages as large as any registry takes; without a size where upstream doesn't take this one. */
  async function firstPage(target: UpstreamTarget): Promise<TagPage> {
    try {
      return await parts.upstream.listTags(target, { n: pageSizeMax }, parts.signal);
    } catch (error) {
      const refused = error instanceof UpstreamFailure && error.kind === 'invalid';
      if (!refused || (error.status !== 400 && error.status !== 422)) throw error;
      return await parts.upstream.listTags(target, {}, parts.signal);
    }
  }

  async function whole(
    request: RuledRequest,
    signal: AbortSignal,
  ): Promise<{ tags: WholeList; verdict: 'hit' | 'miss' | 'coalesced' }> {
    const key = ruledKey(request, 'tags');
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

  /** Pushed ones, and those that were read where the rule leads now while it doesn't stop the repository: others are not served either. */
  async function ourTags(
    request: PullRequest,
    last: string,
    limit: number,
  ): Promise<readonly string[]> {
    const counting = countingRecords(request.target, await parts.stops.isStopped(request));
    return parts.metadata.listTags(repositoryKey(request), last, limit, counting);
  }

  /** `n` tags after `last` of a sorted list and of ours. */
  async function page(
    request: PullRequest,
    upstream: readonly string[],
    n: number,
    last: string,
  ): Promise<{ tags: string[]; more: boolean }> {
    const ours = await ourTags(request, last, n + 1);
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
    const place = parsePlace(last, repository) ?? {
      n: Math.min(n, pageSizeMax),
      ...(last === '' ? {} : { last }),
    };
    // A token is the rule's own upstream's: no mirror knows it, and none of theirs is passed on.
    const urls = 'next' in place ? rule.urls.slice(0, 1) : rule.urls;
    let from = urls[0];
    const answer = await askInTurn(urls, signal, (url) => {
      from = url;
      const target = { rule, url, repository };
      return parts.turns.run(url.host, () => parts.upstream.listTags(target, place, signal));
    });
    const outcome = { verdict: 'bypass', upstreamStatus: 200 } as const;
    const host = from?.host ?? '';
    const next = placeAfter(answer, repository, host);
    if (next !== undefined && from !== urls[0]) throw goesOnElsewhere(repository, host);
    const theirs = sorted(answer.tags);
    const isInOrder = theirs.every((tag, at) => tag === answer.tags[at]);
    const more = answer.next !== undefined;
    if ('next' in place || next !== undefined || !isInOrder) {
      // Pages in an order of their own can't be joined with ours, which come after the last of them.
      const ours = more ? [] : await ourTags(request, '', oursMax);
      return { tags: [...new Set([...answer.tags, ...ours])], more, next, outcome };
    }
    const ours = await ourTags(request, last, n + 1);
    const until = more ? theirs.at(-1) : undefined;
    const tags = sorted(
      new Set([...theirs, ...ours.filter((tag) => until === undefined || tag < until)]),
    );
    return { tags: tags.slice(0, n), more: more || tags.length > n, outcome };
  }

  async function isPushedTo(request: PullRequest): Promise<boolean> {
    return (await parts.metadata.findRepository(repositoryKey(request)))?.pushed === true;
  }

  /** Ours and upstream's; ours alone, and soon, where upstream fails or is slow and something was pushed here. */
  async function listRuled(
    request: TagsRequest & RuledRequest,
    signal: AbortSignal,
  ): Promise<TagsAnswer> {
    const { n, last } = request;
    const isPushed = await isPushedTo(request);
    const isStopped = await parts.stops.isStopped(request);
    const stopped = !isPushed && isStopped;
    if (isStopped) lists.delete(ruledKey(request, 'tags'));
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
      if (error instanceof ListsBusy && !stopped && !last.startsWith(placeMark)) {
        const ours = await ourPage(request, 'too many lists');
        if (ours.tags.length === 0 && last === '') throw error;
        return ours;
      }
      if (!(error instanceof UpstreamFailure)) throw error;
      if (last.startsWith(placeMark)) throw answerOf(error, 'tags');
      if (stopped || (isStopping(request, error) && !isPushed)) throw answerOf(error, 'tags');
      // What upstream has taken away is no list to fall back on.
      if (error.kind === 'notFound' || error.kind === 'denied')
        lists.delete(ruledKey(request, 'tags'));
      const ours = await ourPage(request, staleDetail(error.kind));
      if (ours.tags.length === 0 && last === '' && !isPushed) throw answerOf(error, 'tags');
      return ours;
    }
  }

  /** What is here, with what upstream had when it was last read whole. */
  async function ourPage(request: TagsRequest, detail: string): Promise<TagsAnswer> {
    const known = lists.get(ruledKey(request, 'tags'))?.list.tags ?? [];
    const ours = await page(request, known, request.n, request.last);
    return { ...ours, outcome: { verdict: 'stale', detail } };
  }

  /** Without a rule, or a right to import, there is what is held; a repository from which all was deleted is still one. */
  async function listHeld(request: TagsRequest): Promise<TagsAnswer> {
    const { n, last } = request;
    if ((await parts.stops.isStopped(request)) && !(await isPushedTo(request)))
      throw answerOf(stoppedFailure(request), 'tags', 'negative');
    const ours = await page(request, [], n, last);
    const isHere =
      ours.tags.length > 0 ||
      last !== '' ||
      (await parts.metadata.findRepository(repositoryKey(request))) !== undefined;
    const detail = isRuled(request) ? 'held only' : 'no rule';
    if (isHere) return { ...ours, outcome: { verdict: 'hit', detail } };
    const { repository } = request.target;
    if (isRuled(request)) throw repositoryUnknown(repository);
    throw new RegistryError('nameUnknown', `not here, and ${noRuleText(repository)}`, {
      detail: { name: repository },
    });
  }

  return {
    clear: () => lists.clear(),
    knowsUpstreamTag: (request, tag) => {
      const known = lists.get(ruledKey(request, 'tags'));
      if (known === undefined || known.until <= parts.clock.elapsed()) return false;
      return known.list.tags?.includes(tag) === true;
    },
    listTags: (request, signal) =>
      isRuled(request) && request.heldOnly !== true
        ? listRuled(request, signal)
        : listHeld(request),
  };
}

/** Before what is no tag, but a place in upstream's list: base64url of the query that leads there. */
const placeMark = '~';

/** The place that our own `Link` named; `undefined` for a tag. Throws `paginationInvalid`. */
function parsePlace(last: string, repository: string): TagPlace | undefined {
  if (!last.startsWith(placeMark)) return undefined;
  const query = Buffer.from(last.slice(placeMark.length), 'base64url').toString('utf8');
  if (!/^\?[!-~]+$/.test(query))
    throw new RegistryError('paginationInvalid', 'last is no place in this list');
  return { next: tagsPath(repository) + query };
}

/**
 * What leads a client to upstream's next page; `undefined` where the last of these tags does. Upstream's own path is not
 * passed on to clients, which would choose it: a list that goes on elsewhere can't be.
 */
function placeAfter(
  { next, tags }: TagPage,
  repository: string,
  upstream: string,
): string | undefined {
  if (next === undefined) return undefined;
  const { pathname, search, searchParams } = new URL(next, 'http://upstream');
  if (pathname !== tagsPath(repository)) throw goesOnElsewhere(repository, upstream);
  const names = [...searchParams.keys()];
  const isOrdinary = names.every((name) => name === 'n' || name === 'last');
  if (isOrdinary && searchParams.get('last') === tags.at(-1)) return undefined;
  return placeMark + Buffer.from(search, 'utf8').toString('base64url');
}

function goesOnElsewhere(repository: string, upstream: string): UpstreamFailure {
  return new UpstreamFailure(`the list of ${repository} is too long, and goes on elsewhere`, {
    kind: 'invalid',
    reason: 'redirectRefused',
    upstream,
  });
}

function tagsPath(repository: string): string {
  return `/v2/${repository}/tags/list`;
}

/** Byte order, which for tags is the order of their UTF-16 units. */
function sorted(tags: Iterable<string>): string[] {
  return [...tags].toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
