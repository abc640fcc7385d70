// A cluster of fifty thousand pods: memory has to hold a page of them, not all.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import { runCommand } from '../support/processes/run-command.ts';

const pods = 50_000;
const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
/** Megabytes of V8's heap: two hundred megabytes of JSON do not fit. */
const heapMegabytes = 64;

const discovery = {
  kind: 'APIGroupDiscoveryList',
  items: [
    {
      metadata: { name: '' },
      versions: [
        {
          version: 'v1',
          resources: [
            {
              resource: 'pods',
              responseKind: { kind: 'Pod' },
              scope: 'Namespaced',
              verbs: ['list'],
            },
          ],
        },
      ],
    },
  ],
};

/** Each of its own owner and with what a real one has around its two images: 4 KB. */
function pod(n: number): object {
  const owner = { kind: 'ReplicaSet', name: `web-${n % 5000}`, controller: true };
  return {
    metadata: {
      name: `web-${n}`,
      namespace: `n${n % 50}`,
      creationTimestamp: new Date().toISOString(),
      ownerReferences: [owner],
      managedFields: [{ manager: 'kubelet', fieldsV1: { filler: 'f'.repeat(3000) } }],
    },
    spec: {
      nodeName: `node${n % 500}`,
      containers: [
        { name: 'main', image: `registry.example.com/team/app${n % 300}:1.${n % 11}` },
        { name: 'proxy', image: 'docker.io/envoyproxy/envoy:v1.30.1' },
      ],
    },
  };
}

test('Fifty thousand pods are read in the memory of a few pages.', async (t) => {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    if (url.pathname === '/api') return response.end(JSON.stringify(discovery));
    if (url.pathname !== '/api/v1/pods')
      return response.end(JSON.stringify({ kind: 'APIGroupDiscoveryList', items: [] }));
    const from = Number(url.searchParams.get('continue') ?? 0);
    const until = Math.min(pods, from + Number(url.searchParams.get('limit')));
    const items = Array.from({ length: until - from }, (_, index) => pod(from + index));
    const metadata = { continue: until === pods ? '' : String(until) };
    return response.end(JSON.stringify({ metadata, items }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const folder = await makeRunFolder('kube-many');
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await removeRunFolder(folder);
  });
  const kubeconfig = join(folder, 'kubeconfig');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: address } }],
      contexts: [{ name: 'x', context: { cluster: 'c' } }],
      'current-context': 'x',
    }),
  );
  const args = [`--max-old-space-size=${heapMegabytes}`, program, 'detect', '-q', '-o', 'name'];
  const { code, stdout, stderr } = await runCommand(
    process.execPath,
    [...args, '--kubeconfig', kubeconfig],
    { cwd: folder, env: { NODE_TEST_CONTEXT: '' }, timeoutMs: 240_000 },
  );
  assert.equal(code, 0, stderr);
  const images = stdout.trim().split('\n');
  assert.equal(images[0], 'docker.io/envoyproxy/envoy:v1.30.1');
  assert.equal(images.length, 3301);
});
