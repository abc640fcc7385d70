import type { Holding } from '../../coordination/fair-memory.ts';
import { parseTag } from '../../domain/names/tag.ts';
import { unusable } from '../../domain/upstream-failure.ts';
import type { TagPage, TagPlace, UpstreamTarget } from '../../ports/upstream.ts';
import type { Calls } from '../calls.ts';
import { askAt, ownPlace, received, smallRequest } from '../calls.ts';
import { nextOwnPathOf, readObject } from './json-answer.ts';
import { readWithin } from './list-memory.ts';
import { failureOfStatus } from '../statuses.ts';

/** Some registries give every tag whatever `n` says. */
const tagListBytesMax = 16 * 1024 * 1024;

/** The port's `listTags`; what is no tag is left out, and each is listed once. */
export function listTags(
  calls: Calls,
  target: UpstreamTarget,
  place: TagPlace,
  signal: AbortSignal,
): Promise<TagPage> {
  const { repository, url } = target;
  const { lists } = calls;
  const read = async (holding: Holding, within: AbortSignal): Promise<TagPage> => {
    const asked = `tags of ${url.host}/${repository}`;
    const path = pathOf(repository, place);
    const headers = { accept: 'application/json' };
    const asking = { repository, kind: 'tags', method: 'GET', headers } as const;
    const own = ownPlace(target, path);
    const found = await askAt(calls, target, asking, own, within);
    const { answer } = found;
    if (answer.status !== 200) throw await failureOfStatus(answer, asked, url.host, calls.clock);
    const { fields, bytes } = await readObject(answer, tagListBytesMax, asked, url.host, (more) =>
      holding.add(more),
    );
    received(calls, url.host, bytes);
    const listed = fields['tags'] ?? [];
    if (!Array.isArray(listed)) throw unusable(`${asked}: no list`, 'badJson', url.host, 200);
    const tags = listed.filter(
      (tag): tag is string => typeof tag === 'string' && parseTag(tag) !== undefined,
    );
    return { tags: [...new Set(tags)], next: nextOwnPathOf(answer, own, found.place) };
  };
  return smallRequest(calls, target, signal, (within) => readWithin(lists, url.host, within, read));
}

function pathOf(repository: string, place: TagPlace): string {
  if ('next' in place) return place.next;
  const query = new URLSearchParams();
  if (place.n !== undefined) query.set('n', String(place.n));
  if (place.last !== undefined) query.set('last', place.last);
  return `/v2/${repository}/tags/list${query.size === 0 ? '' : `?${query.toString()}`}`;
}
