import { isObject } from '../../domain/json.ts';
import { ApiStatus } from './api-client.ts';
import type { ApiAnswer, ApiClient } from './api-client.ts';
import { ClusterFailure } from './cluster-failure.ts';
import { AnswerTooLarge } from './wire.ts';

export interface Page {
  readonly items: readonly Readonly<Record<string, unknown>>[];
  /** The list begins, or begins anew: what came before does not count. */
  readonly isFirst: boolean;
}

export interface ListQuery {
  /** Objects of the first page; how many later ones hold goes by how large these are. */
  readonly limit?: number;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** Objects of the first page, and at most of each other. */
const firstLimit = 150;
const limitMax = 500;
/** Characters that a page should have: parsed it takes ten times as much memory. */
const pageCharacters = 384 * 1024;
/** Times that a list begins anew because it took longer than the server remembers (five minutes). */
const restartsMax = 3;
/** Of one list: five million objects. */
const pagesMax = 10_000;
/** One after another without an object in them. */
const emptyPagesMax = 20;

/**
 * The objects of a list, page by page, so that memory holds one page (kubernetes.io/docs/reference/using-api/api-concepts,
 * "Retrieving large results sets in chunks"). After a 410 it goes on where the server says, else begins anew.
 */
export async function* listPages(
  client: ApiClient,
  path: string,
  query: ListQuery,
  signal: AbortSignal,
): AsyncIterable<Page> {
  let limit = query.limit ?? firstLimit;
  let token = '';
  let isFirst = true;
  let restarts = 0;
  let empty = 0;
  const { context } = client.target;
  for (let pages = 1; pages <= pagesMax; pages += 1) {
    let answer: ApiAnswer;
    try {
      answer = await client.get(withQuery(path, { ...query, limit }, token), signal);
    } catch (error) {
      if (error instanceof AnswerTooLarge && limit > 1) {
        limit = Math.ceil(limit / 4);
        continue;
      }
      if (!(error instanceof ApiStatus) || error.status !== 410 || restarts >= restartsMax)
        throw asFailure(error, path, context);
      restarts += 1;
      token = error.continueToken ?? '';
      isFirst = token === '';
      continue;
    }
    const { items, next } = readPage(answer.value, path, context);
    yield { items, isFirst };
    isFirst = false;
    if (next === '') return;
    empty = items.length === 0 ? empty + 1 : 0;
    if (next === token || empty > emptyPagesMax)
      throw endless(path, context, 'hands out pages that lead nowhere');
    token = next;
    limit = limitAfter(items.length, answer.characters);
  }
  throw endless(path, context, `has more than ${pagesMax} pages`);
}

/** As many objects of this size as make a page. */
function limitAfter(objects: number, characters: number): number {
  const fitting = Math.floor((Math.max(1, objects) * pageCharacters) / Math.max(1, characters));
  return Math.min(limitMax, Math.max(1, fitting));
}

function withQuery(path: string, query: ListQuery, token: string): string {
  const asked = new URLSearchParams({ limit: String(query.limit) });
  if (query.labelSelector !== undefined) asked.set('labelSelector', query.labelSelector);
  if (query.fieldSelector !== undefined) asked.set('fieldSelector', query.fieldSelector);
  if (token !== '') asked.set('continue', token);
  return `${path}?${asked.toString()}`;
}

function readPage(
  value: unknown,
  path: string,
  context: string,
): { readonly items: Page['items']; readonly next: string } {
  if (!isObject(value)) throw endless(path, context, 'is no list');
  const { items = [], metadata } = value;
  const next = isObject(metadata) ? metadata['continue'] : undefined;
  // A list without objects may be null.
  const all = items ?? [];
  if (!Array.isArray(all)) throw endless(path, context, 'is no list');
  return { items: all.filter(isObject), next: typeof next === 'string' ? next : '' };
}

function asFailure(error: unknown, path: string, context: string): unknown {
  if (error instanceof AnswerTooLarge)
    return endless(path, context, 'holds an object of more than 64 MiB');
  if (error instanceof ApiStatus && error.status === 410)
    return endless(path, context, 'changes faster than it can be read');
  return error;
}

function endless(path: string, context: string, what: string): ClusterFailure {
  return new ClusterFailure(`the list ${path} of context ${context} ${what}`, {
    kind: 'list',
    hint: 'ask for one namespace alone; if that fails too, the API server or a proxy before it is broken',
  });
}
