import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { Listing } from '../../contract/admin-view.ts';
import type { ApiRequest } from './server-client.ts';
import { askServerAt } from './server-client.ts';
import type { ServerOptions } from './server-location.ts';
import { locateServer } from './server-location.ts';
import type { Terminal } from '../terminal/terminal.ts';

const pageMs = 30_000;
const pageItemsMax = 1000;
/** Items of one listing, however many pages there are. */
const itemsMax = 100_000;

export interface LimitOptions {
  readonly limit?: number;
}

/** Gives a list command `--limit`; without a default it lists all. */
export function addLimitOption(command: Command, standard?: number): Command {
  return command.option(
    '--limit <n>',
    `how many at most${standard === undefined ? '; else all' : ''}`,
    parseLimit,
    standard,
  );
}

/** What of a list is wanted. */
export interface Wanted<Item> {
  /** The list is not read beyond the first for which it is true. */
  readonly isPast: (item: Item) => boolean;
  readonly fits: (item: Item) => boolean;
}

/** A list of the API with its pages put together, or what is wanted of it; `next` is the cursor of what was left. */
export async function askPages<Item>(
  request: {
    readonly path: string;
    readonly query?: ApiRequest['query'];
    /** Where it is there, each page is asked for by POST. */
    readonly body?: ApiRequest['body'];
    /** Of one page; 30 s where absent. */
    readonly deadlineMs?: number;
    /** Absent: all. */
    readonly wanted?: Wanted<Item> | undefined;
  },
  options: ServerOptions & LimitOptions,
  terminal: Terminal,
): Promise<Listing<Item>> {
  const location = await locateServer(options, terminal);
  const limit = options.limit ?? itemsMax;
  const { path, query, body, deadlineMs = pageMs, wanted } = request;
  const items: Item[] = [];
  let next: string | null = null;
  do {
    const most = wanted ? pageItemsMax : Math.min(pageItemsMax, limit - items.length);
    const cursor = next ?? undefined;
    const asked: ApiRequest =
      body === undefined
        ? { path, query: { ...query, limit: String(most), cursor }, deadlineMs }
        : { method: 'POST', path, body: { ...body, limit: most, cursor }, deadlineMs };
    const page: Listing<Item> = await askServerAt(asked, location, terminal);
    const past = wanted ? page.items.findIndex((item) => wanted.isPast(item)) : -1;
    const read = past < 0 ? page.items : page.items.slice(0, past);
    const fitting = wanted ? read.filter((item) => wanted.fits(item)) : read;
    items.push(...fitting.slice(0, limit - items.length));
    next = past < 0 ? page.next : null;
  } while (next !== null && items.length < limit);
  return { items, next };
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (/^\d{1,6}$/.test(text) && limit >= 1 && limit <= itemsMax) return limit;
  throw new InvalidArgumentError(`a whole number from 1 to ${itemsMax}`);
}
