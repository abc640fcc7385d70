import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { PreviewStatus, StoredLifecycle, StoredPreview } from '../contract/lifecycle.ts';
import { pointQuery } from '../sql/point-query.ts';
import type { Sql } from '../sql/schema.ts';

const lifecycleOf = pointQuery((sql, slots: RepositoryKey) =>
  sql
    .selectFrom('repositories')
    .innerJoin('lifecycle_policies', 'lifecycle_policies.repository_id', 'repositories.id')
    .select(['lifecycle_policies.text', 'lifecycle_policies.evaluated_at'])
    .where('repositories.registry', '=', slots.registry)
    .where('repositories.name', '=', slots.repository),
);

export async function findLifecycle(
  sql: Sql,
  key: RepositoryKey,
): Promise<StoredLifecycle | undefined> {
  const row = await lifecycleOf(sql, key);
  return row && { text: row.text, evaluatedAt: row.evaluated_at ?? undefined };
}

const previewOf = pointQuery((sql, slots: RepositoryKey) =>
  sql
    .selectFrom('repositories')
    .innerJoin('lifecycle_previews', 'lifecycle_previews.repository_id', 'repositories.id')
    .select([
      'lifecycle_previews.id',
      'lifecycle_previews.status',
      'lifecycle_previews.policy',
      'lifecycle_previews.started_at',
      'lifecycle_previews.ended_at',
      'lifecycle_previews.expiring',
      'lifecycle_previews.transitioning',
    ])
    .where('repositories.registry', '=', slots.registry)
    .where('repositories.name', '=', slots.repository),
);

export async function findPreview(
  sql: Sql,
  key: RepositoryKey,
): Promise<StoredPreview | undefined> {
  const row = await previewOf(sql, key);
  return (
    row && {
      id: row.id,
      status: row.status as PreviewStatus,
      text: row.policy,
      startedAt: row.started_at,
      endedAt: row.ended_at ?? undefined,
      expiring: row.expiring,
      transitioning: row.transitioning,
    }
  );
}
