import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeClock } from '../../tests/support/rigs/fake-clock.ts';
import { until } from '../../tests/support/rigs/until.ts';
import { homeRegistry } from '../../tests/support/samples/home-registry.ts';
import type { RepositoryName } from '../domain/names/repository-name.ts';
import type { LifecycleMetadata, PreviewPages } from '../metadata/contract/lifecycle.ts';
import { createPreviewJobs } from './lifecycle-previews.ts';

/** Lifecycle metadata whose evaluations end when they are told to. */
function createHeldMetadata() {
  const asked: { readonly repository: string; end(error?: Error): void }[] = [];
  const ended: string[] = [];
  const lifecycles: Partial<LifecycleMetadata> = {
    beginPreview: async () => 'begun',
    previewLifecycle: ({ repository }) =>
      new Promise<PreviewPages>((resolve, reject) => {
        const end = (error?: Error): void =>
          error === undefined
            ? resolve({ expiring: 0, transitioning: 0, pages: [] })
            : reject(error);
        asked.push({ repository, end });
      }),
    endPreview: async ({ repository, status }) => void ended.push(`${repository} ${status}`),
  };
  return { asked, ended, lifecycles: lifecycles as LifecycleMetadata };
}

test('Of previews that were begun one holds its results in memory, and a failed one keeps none from its turn.', async () => {
  const { asked, ended, lifecycles } = createHeldMetadata();
  const jobs = createPreviewJobs({ metadata: { lifecycles }, clock: createFakeClock() });
  for (const repository of ['a', 'b', 'c'] as RepositoryName[])
    await jobs.begin({ registry: homeRegistry, repository }, '{}', { rules: [] });
  for (const error of [undefined, new Error('too long'), undefined]) {
    const before = ended.length;
    await until(() => asked.length > before);
    assert.equal(asked.length, before + 1);
    asked.at(-1)?.end(error);
    await until(() => ended.length === before + 1);
  }
  assert.deepEqual(ended, ['a complete', 'b failed', 'c complete']);
});
