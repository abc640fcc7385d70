import { sql as text } from 'kysely';
import type { LifecycleImage } from '../../domain/lifecycle/image.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { Tag } from '../../domain/names/tag.ts';
import { idOfRepository } from './repository-row.ts';
import type { Sql } from '../sql/schema.ts';

/** An image with its tags in byte order. Nothing is archived yet. */
export interface RepositoryImage extends LifecycleImage {
  readonly tags: readonly Tag[];
}

/** All manifests of a repository with their tags and what they refer to, whichever rule they came through. */
export async function imagesOfRepository(
  sql: Sql,
  key: RepositoryKey,
): Promise<readonly RepositoryImage[]> {
  const ofRepository = idOfRepository(sql, key);
  const rows = await sql
    .selectFrom('manifests')
    .select(['id', 'digest', 'subject', 'created_at', 'last_pulled_at'])
    .where('repository_id', '=', ofRepository)
    .execute();
  const tags = groupedBy(
    await sql
      .selectFrom('tags')
      .select(['digest as key', 'tag as value'])
      .where('repository_id', '=', ofRepository)
      .orderBy('tag')
      .execute(),
  );
  const children = groupedBy(
    await sql
      .selectFrom('manifest_children')
      .select(['manifest_id as key', 'digest as value'])
      .where('repository_id', '=', ofRepository)
      // A literal: for a parameter the index of such children alone is not taken.
      .where('role', '=', text.lit('manifest'))
      .execute(),
  );
  return rows.map((row) => ({
    digest: row.digest as Digest,
    tags: (tags.get(row.digest) ?? []) as readonly Tag[],
    pushedAt: row.created_at,
    lastPulledAt: row.last_pulled_at,
    subject: (row.subject ?? undefined) as Digest | undefined,
    children: children.get(row.id) as readonly Digest[] | undefined,
  }));
}

function groupedBy<Key>(
  rows: readonly { readonly key: Key; readonly value: string }[],
): ReadonlyMap<Key, readonly string[]> {
  const groups = new Map<Key, string[]>();
  for (const { key, value } of rows) {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}
