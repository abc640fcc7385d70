import { setImmediate as nextTurn } from 'node:timers/promises';
import { RegistryError } from '../../domain/errors.ts';
import { arnOf } from '../../domain/policy/principal.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import { repositoryNameCharactersMax } from '../../domain/names/repository-name.ts';
import type { RepositoryMetadata } from '../../metadata/contract/metadata.ts';
import type { RepositoryRow } from '../../metadata/contract/rows.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Caller, RequestFrom } from '../access.ts';
import type { Sealing } from '../secrets/key-store.ts';
import { clientLeft, createListingTurns } from './listing-turns.ts';

/** The repositories of a registry that somebody may see, a page at a time, however many are hidden between them. */
export interface VisibleRepositories {
  /** Throws `paginationInvalid`, `tooManyRequests`, `clientLeft`. */
  list(asked: VisibleListing, signal: AbortSignal): Promise<VisiblePage>;
}

export interface VisibleListing {
  readonly caller: Caller;
  readonly from: Pick<RequestFrom, 'address'>;
  readonly registry: RegistryKey;
  readonly prefix: string;
  /** Any name, or the `next` of a page. */
  readonly after: string;
  readonly limit: number;
  readonly isVisible: (row: RepositoryRow) => boolean | Promise<boolean>;
}

export interface VisiblePage {
  /** In byte order, at most `limit`; fewer where too many had to be passed over. */
  readonly rows: readonly RepositoryRow[];
  /** Where the next page goes on: the last name shown, or a hidden one sealed. `undefined`: there is no more. */
  readonly next: string | undefined;
}

export interface VisibleRepositoriesOptions {
  readonly metadata: { readonly repositories: Pick<RepositoryMetadata, 'listRepositories'> };
  readonly sealing: Sealing;
  readonly clock: Clock;
}

const rowsPerRead = 250;
/** Rows looked at for one page, and how long it may work on them: what remains is the next page's. */
const rowsMax = 5000;
const workMsMax = 500;
/** A listing works 5 ms at a time, then leaves 15 ms to other requests. */
const pieceMs = 5;
const restFactor = 3;

/** No name begins so. */
const sealMark = '~';
const sealOwner = 'repository listing';

export function createVisibleRepositories(
  options: VisibleRepositoriesOptions,
): VisibleRepositories {
  const { clock, sealing } = options;
  const turns = {
    anonymous: createListingTurns(clock, { atOnce: 1, waitingMax: 32, eachMax: 8 }),
    known: createListingTurns(clock, { atOnce: 2, waitingMax: 64, eachMax: 8 }),
  };
  return {
    async list(asked, signal) {
      const after = openPlace(sealing, asked);
      const { principal } = asked.caller;
      const isAnonymous = principal.kind === 'anonymous';
      // Sessions of one role share its turns: whoever assumes it may call them as they like.
      const asker = arnOf(principal) ?? asked.from.address;
      return await turns[isAnonymous ? 'anonymous' : 'known'].run(asker, signal, () =>
        look(options, asked, after, signal),
      );
    },
  };
}

async function look(
  { metadata, sealing, clock }: VisibleRepositoriesOptions,
  { registry, prefix, limit, isVisible }: VisibleListing,
  after: string,
  signal: AbortSignal,
): Promise<VisiblePage> {
  const rows: RepositoryRow[] = [];
  const perRead = Math.min(limit + 1, rowsPerRead);
  let place = after;
  let looked = 0;
  let workedMs = 0;
  let since = clock.elapsed();
  for (;;) {
    const read = await metadata.repositories.listRepositories(registry, {
      prefix,
      after: place,
      limit: perRead,
    });
    for (const row of read) {
      const answer = isVisible(row);
      const visible = answer instanceof Promise ? await answer : answer;
      if (visible && rows.length === limit) return { rows, next: rows.at(-1)?.name };
      if (visible) rows.push(row);
      place = row.name;
      looked += 1;
      const pieceWorkedMs = clock.elapsed() - since;
      if (looked >= rowsMax || workedMs + pieceWorkedMs >= workMsMax)
        return { rows, next: visible ? row.name : sealPlace(sealing, registry, row.name) };
      if (pieceWorkedMs < pieceMs && looked % rowsPerRead !== 0) continue;
      await rest(clock, pieceWorkedMs * restFactor);
      if (signal.aborted) throw clientLeft();
      workedMs += pieceWorkedMs;
      since = clock.elapsed();
    }
    if (read.length < perRead) return { rows, next: undefined };
  }
}

async function rest(clock: Clock, ms: number): Promise<void> {
  if (ms === 0) await nextTurn();
  else await new Promise<void>((resolve) => void clock.after(ms, resolve));
}

/** Padded to one length, so that the seal does not reveal how long a hidden name is. */
function sealPlace(sealing: Sealing, registry: RegistryKey, name: string): string {
  const text = name.padEnd(repositoryNameCharactersMax);
  return `${sealMark}${sealing.seal(text, `${sealOwner} ${registry}`)}`;
}

function openPlace(sealing: Sealing, { registry, after }: VisibleListing): string {
  if (!after.startsWith(sealMark)) return after;
  try {
    return sealing.open(after.slice(1), `${sealOwner} ${registry}`).trimEnd();
  } catch {
    throw new RegistryError('paginationInvalid', 'last: not of a list of this registry', {
      detail: { fix: 'begin the list again' },
    });
  }
}
