import type { Digest } from '../../domain/names/digest.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { Verdict } from '../../domain/verdict.ts';
import type { RecordMetadata } from '../contract/metadata.ts';
import type { AuditRow, PullRow } from '../contract/rows.ts';
import type { Sql } from '../sql/schema.ts';

/** Rows in one list; the caller asks for the next. */
const listedMax = 10_000;

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
