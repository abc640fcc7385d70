import { registryOf } from '../domain/registry.ts';
import type { RegistryKey } from '../domain/registry.ts';
import type { AccessMetadata, AuditRow } from './access-metadata.ts';
import { batches } from './batches.ts';
import type { Sql } from './schema.ts';

/** Rows in one list; the caller asks for the next. */
const listedMax = 10_000;
/** Rows in one insert. */
const rowsPerInsert = 256;

export async function listAudit(
  sql: Sql,
  { account, before, limit }: Parameters<AccessMetadata['listAudit']>[0],
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
