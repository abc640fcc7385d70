import type { Digest } from '../../domain/names/digest.ts';
import type { Sql } from '../sql/schema.ts';

export async function findHeldBlobs(
  sql: Sql,
  digests: readonly Digest[],
): Promise<readonly Digest[]> {
  if (digests.length === 0) return [];
  const rows = await sql
    .selectFrom('repository_blobs')
    .select('digest')
    .distinct()
    .where('digest', 'in', digests)
    .execute();
  return rows.map((row) => row.digest as Digest);
}
