import { evaluateLifecycle, explainLifecycle } from '../../domain/lifecycle/evaluator.ts';
import type { ActedOn } from '../../domain/lifecycle/evaluator.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { RepositoryKey } from '../../domain/names/registry.ts';
import type {
  ExpiryPlan,
  ExplainedImage,
  JsonBytes,
  LifecycleMetadata,
  LifecycleQuestion,
  PlannedImage,
  PreviewPage,
  PreviewPages,
  PreviewResult,
} from '../contract/lifecycle.ts';
import { imagesOfRepository } from '../rows/lifecycle-images.ts';
import type { RepositoryImage } from '../rows/lifecycle-images.ts';
import type { Sql } from '../sql/schema.ts';

/** Results in a page as it is stored. */
const resultsPerPage = 100;
/** Images that are expired in one write. */
const imagesPerBatch = 50;

export async function previewLifecycle(
  sql: Sql,
  key: RepositoryKey,
  { policy, now }: LifecycleQuestion,
): Promise<PreviewPages> {
  const acted = evaluateLifecycle(policy, await imagesOfRepository(sql, key), now);
  const results = acted
    .map(previewResult)
    .toSorted((one, other) => (one.digest < other.digest ? -1 : 1));
  const pages = [false, true].flatMap((untagged) =>
    chunks(
      results.filter(({ tags }) => (tags.length === 0) === untagged),
      resultsPerPage,
    ).map((some): PreviewPage => {
      const firstDigest = some[0]?.digest ?? ('' as Digest);
      return { untagged, firstDigest, results: jsonBytes(some) };
    }),
  );
  const expiring = results.filter(({ action }) => action === 'expire').length;
  return { expiring, transitioning: results.length - expiring, pages };
}

function previewResult({ image, rule }: ActedOn<RepositoryImage>): PreviewResult {
  return {
    digest: image.digest,
    tags: image.tags,
    pushedAt: image.pushedAt,
    priority: rule.priority,
    action: rule.action,
    storageClass: image.archivedAt === undefined ? 'standard' : 'archive',
  };
}

export async function planLifecycle(
  sql: Sql,
  key: RepositoryKey,
  { policy, now }: LifecycleQuestion,
): Promise<ExpiryPlan> {
  const acted = evaluateLifecycle(policy, await imagesOfRepository(sql, key), now);
  const expiring = acted
    .filter(({ rule }) => rule.action === 'expire')
    .map(({ image, rule }): PlannedImage => {
      const { digest, tags, lastPulledAt } = image;
      const decided = rule.countType === 'sinceImagePulled' ? { lastPulledAt } : {};
      return { digest, tags, ...decided, priority: rule.priority };
    });
  return {
    count: expiring.length,
    transitioning: acted.length - expiring.length,
    batches: chunks(expiring, imagesPerBatch).map(jsonBytes),
  };
}

export async function explainImages(
  sql: Sql,
  key: RepositoryKey,
  { policy, now }: LifecycleQuestion,
  { after, digests, limit }: Parameters<LifecycleMetadata['explainImages']>[2],
): Promise<readonly ExplainedImage[]> {
  const explained = explainLifecycle(policy, await imagesOfRepository(sql, key), now);
  const from =
    after === undefined ? 0 : explained.findIndex(({ image }) => image.digest === after) + 1;
  const wanted = digests && new Set(digests);
  return explained
    .slice(from)
    .filter(({ image }) => wanted === undefined || wanted.has(image.digest))
    .slice(0, limit);
}

const encoder = new TextEncoder();

function jsonBytes(value: unknown): JsonBytes {
  return encoder.encode(JSON.stringify(value));
}

function chunks<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, at) =>
    list.slice(at * size, (at + 1) * size),
  );
}
