import { Flights } from '../../coordination/flights.ts';
import { TimedMemory } from '../../coordination/timed-memory.ts';
import { waitUnder, waitWithin } from '../../coordination/waiting.ts';
import { RegistryError } from '../../domain/errors.ts';
import { ListsBusy } from '../../domain/lists-busy.ts';
import { noRuleText } from '../../domain/rules/no-rule.ts';
import { answerOf, unusable, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { TagPage, TagPlace, Upstream, UpstreamTarget } from '../../ports/upstream.ts';
import type { TagsAnswer, TagsRequest } from '../cache.ts';
import { askInTurn } from '../download/upstream-sources.ts';
import { sizeOfKey, sizeOfNames } from '../memory/memory-size.ts';
import { isStopping, stoppedFailure } from '../memory/repository-memory.ts';
import { staleDetail } from '../memory/tag-freshness.ts';
import { isRuled, mayAsk, repositoryKey, ruledKey } from '../pull-request.ts';
import type { PullRequest, RuledRequest } from '../pull-request.ts';
import { countingRecords } from '../whose-bytes.ts';
import type { PullParts } from './pull-parts.ts';

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

/** An upstream's list, read whole. */
interface WholeList {
  /** Sorted; absent where there are more than 10,000. */
  readonly tags: readonly string[] | undefined;
}

/** Tags of upstream and of ours together (ARCHITECTURE.md, "Lists"). */
export class TagLister {
  readonly #parts: PullParts;
  readonly #lists: TimedMemory<WholeList>;
  readonly #flights: Flights<WholeList>;

  constructor(parts: PullParts) {
    this.#parts = parts;
    this.#lists = new TimedMemory(parts.clock, {
      bytesMax: listBytesMax,
      bytesOf: ({ tags = [] }, key) => sizeOfKey(key) + sizeOfNames(tags),
    });
    this.#flights = new Flights(parts.clock);
  }

  async list(asked: TagsRequest, signal: AbortSignal): Promise<TagsAnswer> {
    const request = await this.#parts.repositories.withoutRootIfOwn(asked);
    return mayAsk(request) ? this.#listRuled(request, signal) : this.#listFromHere(request);
  }

  /** True where the upstream's list, read whole a moment ago, has the tag; nobody is asked. */
  knowsUpstreamTag(request: PullRequest, tag: string): boolean {
    return this.#lists.get(tagsKey(request))?.tags?.includes(tag) === true;
  }

  clear(): void {
    this.#lists.clear();
  }

  /** Ours and upstream's; ours alone, and soon, where upstream fails or is slow and something was pushed here. */
  async #listRuled(request: TagsRequest & RuledRequest, signal: AbortSignal): Promise<TagsAnswer> {
    const { repositories, clock } = this.#parts;
    const isPushed = await repositories.isPushed(request);
    const isStopped = await repositories.isStopped(request);
    if (isStopped) this.#lists.forget(tagsKey(request));
    try {
      const read = this.#whole(request, signal);
      const { staleBudgetMs } = request.target.rule;
      const found = isPushed ? await waitWithin(read, staleBudgetMs, clock, signal) : await read;
      if (found === undefined) return await this.#ourPage(request, 'upstream timeout');
      const { tags, verdict } = found;
      if (tags === undefined) return await this.#passedOn(request, signal);
      return { ...(await this.#page(request, tags)), outcome: { verdict } };
    } catch (error) {
      return await this.#listAfter(error, request, { isPushed, isStopped });
    }
  }

  /** What is served where upstream's list can't be had; throws where nothing is. */
  async #listAfter(
    error: unknown,
    request: TagsRequest & RuledRequest,
    { isPushed, isStopped }: { readonly isPushed: boolean; readonly isStopped: boolean },
  ): Promise<TagsAnswer> {
    const { last } = request;
    const stopped = isStopped && !isPushed;
    const isPlace = last.startsWith(placeMark);
    if (error instanceof ListsBusy && !stopped && !isPlace) {
      const ours = await this.#ourPage(request, 'too many lists');
      if (ours.tags.length === 0 && last === '') throw error;
      return ours;
    }
    if (!(error instanceof UpstreamFailure)) throw error;
    if (isPlace || stopped || (isStopping(request, error) && !isPushed))
      throw answerOf(error, 'tags');
    // What upstream has taken away is no list to fall back on.
    if (error.kind === 'notFound' || error.kind === 'denied') this.#lists.forget(tagsKey(request));
    const ours = await this.#ourPage(request, staleDetail(error.kind));
    if (ours.tags.length === 0 && last === '' && !isPushed) throw answerOf(error, 'tags');
    return ours;
  }

  /** Without a rule, or a right to import, there is what is here; a repository from which all was deleted is still one. */
  async #listFromHere(request: TagsRequest): Promise<TagsAnswer> {
    const { repositories, metadata } = this.#parts;
    if ((await repositories.isStopped(request)) && !(await repositories.isPushed(request)))
      throw answerOf(stoppedFailure(request), 'tags', 'negative');
    const ours = await this.#page(request, []);
    const isHere =
      ours.tags.length > 0 ||
      request.last !== '' ||
      (await metadata.repositories.findRepository(repositoryKey(request))) !== undefined;
    const detail = isRuled(request) ? 'held only' : 'no rule';
    if (isHere) return { ...ours, outcome: { verdict: 'hit', detail } };
    const { repository } = request.target;
    const message = isRuled(request)
      ? 'repository unknown'
      : `not here, and ${noRuleText(repository)}`;
    throw new RegistryError('nameUnknown', message, { detail: { name: repository } });
  }

  async #whole(
    request: RuledRequest,
    signal: AbortSignal,
  ): Promise<WholeList & { readonly verdict: 'hit' | 'miss' | 'coalesced' }> {
    const { upstream, refusals, turns, signal: ended } = this.#parts;
    const key = tagsKey(request);
    const known = this.#lists.get(key);
    if (known !== undefined) return { ...known, verdict: 'hit' };
    const refused = refusals.find('list', request, 'tags');
    if (refused !== undefined) throw refused;
    const { promise, joined } = this.#flights.join(key, async () => {
      const list = await askInTurn(request.target, ended, (target) =>
        turns.run(target.url.host, (gather) => readPages(upstream, target, gather, ended)),
      ).catch((error: unknown) => {
        refusals.note('list', request, 'tags', 'tag', error);
        throw error;
      });
      this.#lists.set(key, list, listKnownForMs);
      return list;
    });
    return { ...(await waitUnder(promise, signal)), verdict: joined ? 'coalesced' : 'miss' };
  }

  /** A list that is too long to be read whole: a page as upstream gives it. */
  async #passedOn(request: TagsRequest & RuledRequest, signal: AbortSignal): Promise<TagsAnswer> {
    const { upstream, turns } = this.#parts;
    const { n, last } = request;
    const { rule, upstreamRepository: repository } = request.target;
    const place = parsePlace(last, repository) ?? {
      n: Math.min(n, pageSizeMax),
      ...(last === '' ? {} : { last }),
    };
    // A token is the rule's own upstream's: no mirror knows it, and none of theirs is passed on.
    const urls = 'next' in place ? rule.urls.slice(0, 1) : rule.urls;
    let from = urls[0];
    const ask = (target: UpstreamTarget): Promise<TagPage> => {
      from = target.url;
      return turns.run(target.url.host, () => upstream.listTags(target, place, signal));
    };
    const answer = await askInTurn(request.target, signal, ask, urls);
    const outcome = { verdict: 'bypass', upstreamStatus: 200 } as const;
    const host = from?.host ?? '';
    const next = placeAfter(answer, repository, host);
    if (next !== undefined && from !== urls[0]) throw goesOnElsewhere(repository, host);
    const theirs = sorted(answer.tags);
    const isInOrder = theirs.every((tag, at) => tag === answer.tags[at]);
    const more = answer.next !== undefined;
    if ('next' in place || next !== undefined || !isInOrder) {
      // Pages in an order of their own can't be joined with ours, which come after the last of them.
      const ours = more ? [] : await this.#ourTags(request, '', oursMax);
      return { tags: [...new Set([...answer.tags, ...ours])], more, next, outcome };
    }
    const ours = await this.#ourTags(request, last, n + 1);
    const until = more ? theirs.at(-1) : undefined;
    const tags = sorted(
      new Set([...theirs, ...ours.filter((tag) => until === undefined || tag < until)]),
    );
    return { tags: tags.slice(0, n), more: more || tags.length > n, outcome };
  }

  /** What is here, with what upstream had when it was last read whole. */
  async #ourPage(request: TagsRequest, detail: string): Promise<TagsAnswer> {
    const known = this.#lists.last(tagsKey(request))?.tags ?? [];
    const ours = await this.#page(request, known);
    return { ...ours, outcome: { verdict: 'stale', detail } };
  }

  /** `n` tags after `last` of upstream's sorted list and of ours. */
  async #page(
    request: TagsRequest,
    upstream: readonly string[],
  ): Promise<{ tags: string[]; more: boolean }> {
    const { n, last } = request;
    const ours = await this.#ourTags(request, last, n + 1);
    const theirs = upstream.filter((tag) => tag > last).slice(0, n + 1);
    const tags = sorted(new Set([...theirs, ...ours]));
    return { tags: tags.slice(0, n), more: tags.length > n };
  }

  /** Pushed ones, and those that were read where the rule leads now while it doesn't stop the repository: others are not served either. */
  async #ourTags(request: PullRequest, last: string, limit: number): Promise<readonly string[]> {
    const { repositories, metadata } = this.#parts;
    const counting = countingRecords(request.target, await repositories.isStopped(request));
    return metadata.tags.listTags(repositoryKey(request), last, limit, counting);
  }
}

function tagsKey(request: PullRequest): string {
  return ruledKey(request, 'tags');
}

async function readPages(
  upstream: Pick<Upstream, 'listTags'>,
  target: UpstreamTarget,
  gather: (bytes: number) => void,
  signal: AbortSignal,
): Promise<WholeList> {
  const tags = new Set<string>();
  const seen = new Set<string>();
  let answer = await firstPage(upstream, target, signal);
  for (;;) {
    if (answer.tags.length > tagsReadMax) return { tags: undefined };
    gather(sizeOfNames(answer.tags));
    for (const tag of answer.tags) tags.add(tag);
    if (tags.size > tagsReadMax) return { tags: undefined };
    const { next } = answer;
    // A list that leads back into itself has no more to give.
    if (next === undefined || seen.has(next)) return { tags: sorted(tags) };
    if (seen.size >= pagesMax) return { tags: undefined };
    seen.add(next);
    answer = await upstream.listTags(target, { next }, signal);
  }
}

/** By pages as large as any registry takes; without a size where upstream doesn't take this one. */
async function firstPage(
  upstream: Pick<Upstream, 'listTags'>,
  target: UpstreamTarget,
  signal: AbortSignal,
): Promise<TagPage> {
  try {
    return await upstream.listTags(target, { n: pageSizeMax }, signal);
  } catch (error) {
    const refused = error instanceof UpstreamFailure && error.kind === 'invalid';
    if (!refused || (error.status !== 400 && error.status !== 422)) throw error;
    return await upstream.listTags(target, {}, signal);
  }
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
  return unusable(
    `the list of ${repository} is too long, and goes on elsewhere`,
    'redirectRefused',
    upstream,
  );
}

function tagsPath(repository: string): string {
  return `/v2/${repository}/tags/list`;
}

/** Byte order, which for tags is the order of their UTF-16 units. */
function sorted(tags: Iterable<string>): string[] {
  return [...tags].toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
