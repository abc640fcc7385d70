import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHubPulls } from './hub-pulls.ts';

const now = Date.UTC(2026, 10, 30, 12);

function pod(
  hoursAgo: number,
  node: string,
  ...images: readonly string[]
): Record<string, unknown> {
  const [first, ...others] = images.map((image) => ({ image }));
  return {
    metadata: { creationTimestamp: new Date(now - hoursAgo * 3_600_000).toISOString() },
    spec: {
      nodeName: node,
      initContainers: first === undefined ? [] : [first],
      containers: others,
    },
  };
}

test('Containers of Docker Hub count by the hour in which their pod began, and once a node for its renewal.', () => {
  const pulls = createHubPulls(now);
  for (let n = 0; n < 10; n += 1)
    pulls.note(pod(1.5, 'n1', 'nginx:1', 'docker.io/a/b:1', 'quay.io/a/b:1'));
  for (let n = 0; n < 4; n += 1) pulls.note(pod(5.5, 'n2', 'index.docker.io/library/nginx:1'));
  pulls.note(pod(9.5, 'n2', 'nginx:1'));
  pulls.note(pod(100, 'n3', 'nginx:1'));
  const found = pulls.estimate();
  assert.deepEqual(
    [found?.perHour, found?.busiestSixHours, found?.toRenewNodes],
    [1, 24, 5],
    '25 containers in 24 hours, 24 of them in six; n1 has two images, n2 two spellings, n3 one',
  );
});

test('Without a pod of Docker Hub there is nothing to estimate.', () => {
  const pulls = createHubPulls(now);
  pulls.note(pod(1, 'n1', 'quay.io/a/b:1', '{{bad}}'));
  pulls.note({});
  assert.equal(pulls.estimate(), null);
});
