import type { RawBuilder } from 'kysely';
import { sql as text } from 'kysely';
import { registryOf } from '../../domain/names/registry.ts';
import type { PullRecord } from '../../domain/pull-record.ts';
import { excludedAs, pullTimeExclusions } from '../../domain/registries/pull-time-exclusions.ts';
import type { AuditPruning, AuditRow, Pruning, PullRow } from '../contract/rows.ts';
import { batches } from '../sql/batches.ts';
import type { Sql } from '../sql/schema.ts';
import { lastPrunedRow, prunedMax } from '../rows/oldest-rows.ts';
import { idOfRepository } from '../rows/repository-row.ts';
import { readMembers } from '../rows/setting-members.ts';

/** In their order: ids grow with it. */
export async function appendAudit(sql: Sql, rows: readonly Omit<AuditRow, 'id'>[]): Promise<void> {
  for (const some of batches(rows)) {
    await sql
      .insertInto('audit')
      .values(
        some.map((row) => ({
          at: row.at,
          kind: row.kind,
          principal: row.principal,
          action: row.action,
          resource: row.resource,
          account: registryOf(row.registry).account,
          registry: row.registry,
          outcome: row.outcome,
          address: row.address,
          request_id: row.requestId,
          detail: row.detail,
          count: row.count,
        })),
      )
      .execute();
  }
}

/** The conditions of the indexes `audit_…` by kind, word for word: without values of their own, so that the indexes serve them. */
const kinds: Readonly<Record<AuditPruning['kind'], RawBuilder<boolean>>> = {
  anonymousDenial: text`kind = 'denial' and principal = 'anonymous'`,
  denial: text`kind = 'denial' and principal <> 'anonymous'`,
  login: text`kind = 'login'`,
  change: text`kind = 'change'`,
};

/** Answers how many rows went, `prunedMax` at most; the caller goes on until fewer do. */
export async function pruneAudit(sql: Sql, { kind, ...limits }: AuditPruning): Promise<number> {
  const { count } = await sql
    .selectFrom('audit')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where(kinds[kind])
    .executeTakeFirstOrThrow();
  const rows = await sql
    .selectFrom('audit')
    .select(['id', 'at'])
    .where(kinds[kind])
    .orderBy('id')
    .limit(prunedMax)
    .execute();
  const last = lastPrunedRow(rows, count, limits);
  if (last === undefined) return 0;
  const result = await sql
    .deleteFrom('audit')
    .where(kinds[kind])
    .where('id', '<=', last)
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}

const hourMs = 3_600_000;

/** Adds to the rows of their hours, and moves the pull times of the tags and manifests that are stored. */
export async function recordPulls(sql: Sql, pulls: readonly PullRecord[]): Promise<void> {
  const rows = rowsOf(pulls);
  for (const some of batches(rows)) {
    await sql
      .insertInto('pull_records')
      .values(
        some.map((row) => ({
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
  for (const touched of touchedBy(await timedPulls(sql, pulls))) await touch(sql, touched);
}

/** One row a key, in the keys' order: two processes that record the same pulls then lock rows in the same order. */
function rowsOf(pulls: readonly PullRecord[]): PullRow[] {
  const rows = new Map<string, PullRow>();
  for (const pull of pulls) {
    const hour = Math.floor(pull.at / hourMs) * hourMs;
    const { at, count = 1, principal: _principal, ...rest } = pull;
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

/** Without those of principals whose pulls leave the times as they are. */
async function timedPulls(sql: Sql, pulls: readonly PullRecord[]): Promise<readonly PullRecord[]> {
  const registries = new Set(pulls.map(({ registry }) => registry));
  const excluded = new Set<string>();
  for (const some of batches([...registries])) {
    const rows = await sql
      .selectFrom('registry_settings')
      .select(['registry', 'value'])
      .where('registry', 'in', some)
      .where('name', '=', pullTimeExclusions)
      .execute();
    for (const { registry, value } of rows)
      for (const { member } of readMembers(value))
        excluded.add(`${registry} ${excludedAs(member)}`);
  }
  if (excluded.size === 0) return pulls;
  return pulls.filter(
    ({ registry, principal = '' }) => !excluded.has(`${registry} ${excludedAs(principal)}`),
  );
}

interface Touched {
  readonly registry: string;
  readonly repository: string;
  readonly column: 'tag' | 'digest';
  readonly value: string;
  readonly at: number;
}

function touchedBy(pulls: readonly PullRecord[]): Touched[] {
  const touched = new Map<string, Touched>();
  const add = (
    pull: PullRecord,
    repository: string,
    column: 'tag' | 'digest',
    value: string,
  ): void => {
    const key = `${column} ${pull.registry} ${repository} ${value}`;
    const at = Math.max(pull.at, touched.get(key)?.at ?? 0);
    touched.set(key, { registry: pull.registry, repository, column, value, at });
  };
  for (const pull of pulls) {
    const { repository, tag, digest } = partsOf(pull.image);
    if (tag !== undefined) add(pull, repository, 'tag', tag);
    const manifest = pull.digest ?? digest;
    if (manifest !== undefined) add(pull, repository, 'digest', manifest);
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
  const repository = idOfRepository(sql, touched);
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
  const rows = await sql
    .selectFrom('pull_records')
    .select(['id', 'last_at as at'])
    .orderBy('id')
    .limit(prunedMax)
    .execute();
  const last = lastPrunedRow(rows, count, limits);
  if (last === undefined) return 0;
  const result = await sql.deleteFrom('pull_records').where('id', '<=', last).executeTakeFirst();
  return Number(result.numDeletedRows);
}
