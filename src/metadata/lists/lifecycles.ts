import type { Digest } from '../../domain/names/digest.ts';
import type { RegistryKey, RepositoryKey } from '../../domain/names/registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { DueLifecycle, PreviewPosition, PreviewResult } from '../contract/lifecycle.ts';
import { idOfRepository } from '../rows/repository-row.ts';
import type { Sql } from '../sql/schema.ts';

export async function listDueLifecycles(
  sql: Sql,
  now: number,
  limit: number,
): Promise<readonly DueLifecycle[]> {
  const rows = await sql
    .selectFrom('lifecycle_policies')
    .innerJoin('repositories', 'repositories.id', 'lifecycle_policies.repository_id')
    .select(['repositories.registry', 'repositories.name', 'lifecycle_policies.text'])
    .where('lifecycle_policies.due_at', '<=', now)
    .orderBy('lifecycle_policies.due_at')
    .orderBy('lifecycle_policies.repository_id')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    registry: row.registry as RegistryKey,
    repository: row.name as RepositoryName,
    text: row.text,
  }));
}

/** Pages that are read at once: a list takes up one or two. */
const pagesAtOnce = 3;

export async function listPreviewResults(
  sql: Sql,
  key: RepositoryKey,
  from: { readonly after: PreviewPosition | undefined; readonly untagged: boolean | undefined },
  limit: number,
): Promise<readonly PreviewResult[]> {
  const { after, untagged } = from;
  const found: PreviewResult[] = [];
  for (const half of [false, true]) {
    if (untagged !== undefined && untagged !== half) continue;
    if (after !== undefined && after.untagged && !half) continue;
    let last = after !== undefined && after.untagged === half ? after.digest : '';
    while (found.length < limit) {
      const some = await resultsAfter(sql, key, half, last);
      found.push(...some);
      const reached = some.at(-1)?.digest;
      if (reached === undefined) break;
      last = reached;
    }
  }
  return found.slice(0, limit);
}

/** Some results after a digest; none where there are no more. */
async function resultsAfter(
  sql: Sql,
  key: RepositoryKey,
  untagged: boolean,
  after: string,
): Promise<readonly PreviewResult[]> {
  const rows = await sql
    .selectFrom('lifecycle_preview_pages')
    .select('results')
    .where('repository_id', '=', idOfRepository(sql, key))
    .where('untagged', '=', untagged ? 1 : 0)
    .where('first_digest', '>=', (await pageOf(sql, key, untagged, after)) ?? '')
    .orderBy('first_digest')
    .limit(pagesAtOnce)
    .execute();
  return rows.flatMap(({ results }) => parsed(results)).filter(({ digest }) => digest > after);
}

/** The first digest of the page in which a digest would be. */
async function pageOf(
  sql: Sql,
  key: RepositoryKey,
  untagged: boolean,
  digest: string,
): Promise<string | undefined> {
  const page = await sql
    .selectFrom('lifecycle_preview_pages')
    .select('first_digest')
    .where('repository_id', '=', idOfRepository(sql, key))
    .where('untagged', '=', untagged ? 1 : 0)
    .where('first_digest', '<=', digest)
    .orderBy('first_digest', 'desc')
    .limit(1)
    .executeTakeFirst();
  return page?.first_digest;
}

export async function findPreviewResults(
  sql: Sql,
  key: RepositoryKey,
  digests: readonly Digest[],
): Promise<readonly PreviewResult[]> {
  const wanted = new Set(digests);
  const found: PreviewResult[] = [];
  for (const untagged of [false, true]) {
    const pages = new Set<string>();
    for (const digest of wanted) {
      const page = await pageOf(sql, key, untagged, digest);
      if (page !== undefined) pages.add(page);
    }
    for (const page of pages) {
      const row = await sql
        .selectFrom('lifecycle_preview_pages')
        .select('results')
        .where('repository_id', '=', idOfRepository(sql, key))
        .where('untagged', '=', untagged ? 1 : 0)
        .where('first_digest', '=', page)
        .executeTakeFirst();
      found.push(...parsed(row?.results ?? '[]').filter(({ digest }) => wanted.has(digest)));
    }
  }
  return found;
}

function parsed(results: string): readonly PreviewResult[] {
  return JSON.parse(results) as readonly PreviewResult[];
}
