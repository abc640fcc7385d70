import type { Digest } from '../../domain/names/digest.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { Verdict } from '../../domain/verdict.ts';
import type { Pruning, PullRecord, PullRow } from '../contract/rows.ts';
import { lastOldRow } from './oldest-rows.ts';
import type { Sql } from '../sql/schema.ts';

const hourMs = 3_600_000;
/** Rows in one insert. */
const pullsPerInsert = 100;
/** Rows that one call of `prunePulls` deletes at most, so that other writes are not kept waiting. */
export const prunedMax = 10_000;

export async function listPulls(sql: Sql, limit: number): Promise<readonly PullRow[]> {
  const rows = await sql
    .selectFrom('pull_records')
    .selectAll()
    .orderBy('last_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    registry: row.registry as RegistryKey,
    hour: row.hour,
    clientAddress: row.client_address,
    ns: row.ns,
    image: row.image,
    digest: row.digest === '' ? undefined : (row.digest as Digest),
    verdict: row.verdict as Verdict,
    count: row.count,
    lastAt: row.last_at,
  }));
}

/** Adds to the rows of their hours, and moves the pull times of the tags and manifests that are stored. */
export async function recordPulls(sql: Sql, pulls: readonly PullRecord[]): Promise<void> {
  const rows = rowsOf(pulls);
  for (let from = 0; from < rows.length; from += pullsPerInsert) {
    await sql
      .insertInto('pull_records')
      .values(
        rows.slice(from, from + pullsPerInsert).map((row) => ({
          registry: row.registry,
          hour: row.hour,
          client_address: row.clientAddress,
          ns: row.ns,
          image: row.image,
          digest: row.digest ?? '',
          verdict: row.verdict,
          count: row.count,
          last_at: row.lastAt,
        })),
      )
      .onConflict((conflict) =>
        conflict
          .columns(['registry', 'hour', 'client_address', 'ns', 'image', 'digest', 'verdict'])
          .doUpdateSet((eb) => ({
            count: eb('pull_records.count', '+', eb.ref('excluded.count')),
            last_at: eb
              .case()
              .when('excluded.last_at', '>', eb.ref('pull_records.last_at'))
              .then(eb.ref('excluded.last_at'))
              .else(eb.ref('pull_records.last_at'))
              .end(),
          })),
      )
      .execute();
  }
  for (const touched of touchedBy(rows)) await touch(sql, touched);
}

/** One row a key, in the keys' order: two processes that record the same pulls then lock rows in the same order. */
function rowsOf(pulls: readonly PullRecord[]): PullRow[] {
  const rows = new Map<string, PullRow>();
  for (const pull of pulls) {
    const hour = Math.floor(pull.at / hourMs) * hourMs;
    const { at, count = 1, ...rest } = pull;
    const key = JSON.stringify([
      rest.registry,
      hour,
      rest.clientAddress,
      rest.ns,
      rest.image,
      rest.digest,
      rest.verdict,
    ]);
    const known = rows.get(key);
    rows.set(key, {
      ...rest,
      hour,
      count: count + (known?.count ?? 0),
      lastAt: Math.max(at, known?.lastAt ?? at),
    });
  }
  return [...rows].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

interface Touched {
  readonly registry: string;
  readonly repository: string;
  readonly column: 'tag' | 'digest';
  readonly value: string;
  readonly at: number;
}

function touchedBy(rows: readonly PullRow[]): Touched[] {
  const touched = new Map<string, Touched>();
  const add = (row: PullRow, repository: string, column: 'tag' | 'digest', value: string): void => {
    const key = `${column} ${row.registry} ${repository} ${value}`;
    const at = Math.max(row.lastAt, touched.get(key)?.at ?? 0);
    touched.set(key, { registry: row.registry, repository, column, value, at });
  };
  for (const row of rows) {
    const { repository, tag, digest } = partsOf(row.image);
    if (tag !== undefined) add(row, repository, 'tag', tag);
    const manifest = row.digest ?? digest;
    if (manifest !== undefined) add(row, repository, 'digest', manifest);
  }
  return [...touched].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

function partsOf(image: string): {
  repository: string;
  tag: string | undefined;
  digest: string | undefined;
} {
  const at = image.indexOf('@');
  const name = at < 0 ? image : image.slice(0, at);
  const digest = at < 0 ? undefined : image.slice(at + 1);
  const colon = name.lastIndexOf(':');
  if (colon <= name.lastIndexOf('/')) return { repository: name, tag: undefined, digest };
  return { repository: name.slice(0, colon), tag: name.slice(colon + 1), digest };
}

async function touch(sql: Sql, touched: Touched): Promise<void> {
  const repository = sql
    .selectFrom('repositories')
    .select('id')
    .where('registry', '=', touched.registry)
    .where('name', '=', touched.repository);
  if (touched.column === 'tag') {
    await sql
      .updateTable('tags')
      .set({ last_pulled_at: touched.at })
      .where('repository_id', '=', repository)
      .where('tag', '=', touched.value)
      .where('last_pulled_at', '<', touched.at)
      .execute();
    return;
  }
  await sql
    .updateTable('manifests')
    .set({ last_pulled_at: touched.at })
    .where('repository_id', '=', repository)
    .where('digest', '=', touched.value)
    .where('last_pulled_at', '<', touched.at)
    .execute();
}

/** Answers how many rows went, `prunedMax` at most; the caller goes on until fewer do. */
export async function prunePulls(sql: Sql, limits: Pruning): Promise<number> {
  const { count } = await sql
    .selectFrom('pull_records')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  const beyond = Math.min(Math.max(count - limits.rowsMax, 0), prunedMax);
  const rows = await sql
    .selectFrom('pull_records')
    .select(['id', 'last_at as at'])
    .orderBy('id')
    .limit(prunedMax)
    .execute();
  const last = Math.max(rows[beyond - 1]?.id ?? 0, lastOldRow(rows, limits) ?? 0);
  if (last === 0) return 0;
  const result = await sql.deleteFrom('pull_records').where('id', '<=', last).executeTakeFirst();
  return Number(result.numDeletedRows);
}
