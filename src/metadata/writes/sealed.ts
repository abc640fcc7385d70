import type { SealedMetadata } from '../contract/sealed.ts';
import type { Sql } from '../sql/schema.ts';

export async function reseal(
  sql: Sql,
  { kind, rows }: Parameters<SealedMetadata['reseal']>[0],
): Promise<number> {
  let count = 0;
  for (const { id, before, after } of rows) {
    const [first = '', name = '', version = ''] = id;
    const changed =
      kind === 'accessKeys'
        ? await sql
            .updateTable('access_keys')
            .set({ sealed_secret: after })
            .where('id', '=', first)
            .where('sealed_secret', '=', before)
            .returning('id')
            .executeTakeFirst()
        : await sql
            .updateTable('secret_values')
            .set({ sealed: after })
            .where('registry', '=', first)
            .where('name', '=', name)
            .where('version', '=', version)
            .where('sealed', '=', before)
            .returning('version')
            .executeTakeFirst();
    if (changed !== undefined) count += 1;
  }
  return count;
}
