import { registryOf } from '../../domain/names/registry.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { RawBuilder } from 'kysely';
import { sql as fragment } from 'kysely';
import type { RecordMetadata } from '../contract/metadata.ts';
import type { AuditPruning, AuditRow } from '../contract/rows.ts';
import { batches } from '../sql/batches.ts';
import { lastOldRow } from './oldest-rows.ts';
import type { Sql } from '../sql/schema.ts';

/** Rows in one list; the caller asks for the next. */
const listedMax = 10_000;
/** Rows in one insert. */
const rowsPerInsert = 256;
/** Rows that one call of `pruneAudit` deletes at most, so that other writes are not kept waiting. */
export const auditPrunedMax = 10_000;

export async function listAudit(
  sql: Sql,
  { account, before, limit }: Parameters<RecordMetadata['listAudit']>[0],
): Promise<readonly AuditRow[]> {
  const listed = sql
    .selectFrom('audit')
    .selectAll()
    .where('id', '<', before ?? Number.MAX_SAFE_INTEGER)
    .orderBy('id', 'desc')
    .limit(Math.min(limit, listedMax));
  const rows = await (
    account === undefined ? listed : listed.where('account', '=', account)
  ).execute();
  return rows.map(({ account: _account, registry, request_id: requestId, ...row }) => ({
    ...row,
    registry: registry as RegistryKey,
    requestId,
  }));
}

/** In their order: ids grow with it. */
export async function appendAudit(sql: Sql, rows: readonly Omit<AuditRow, 'id'>[]): Promise<void> {
  for (const some of batches(rows, rowsPerInsert)) {
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
  anonymousDenial: fragment`kind = 'denial' and principal = 'anonymous'`,
  denial: fragment`kind = 'denial' and principal <> 'anonymous'`,
  login: fragment`kind = 'login'`,
  change: fragment`kind = 'change'`,
};

/** Answers how many rows went, `auditPrunedMax` at most; the caller goes on until fewer do. */
export async function pruneAudit(sql: Sql, { kind, ...limits }: AuditPruning): Promise<number> {
  const { count } = await sql
    .selectFrom('audit')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where(kinds[kind])
    .executeTakeFirstOrThrow();
  const beyond = Math.min(Math.max(count - limits.rowsMax, 0), auditPrunedMax);
  const rows = await sql
    .selectFrom('audit')
    .select(['id', 'at'])
    .where(kinds[kind])
    .orderBy('id')
    .limit(auditPrunedMax)
    .execute();
  const last = Math.max(rows[beyond - 1]?.id ?? 0, lastOldRow(rows, limits) ?? 0);
  if (last === 0) return 0;
  const result = await sql
    .deleteFrom('audit')
    .where(kinds[kind])
    .where('id', '<=', last)
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}
