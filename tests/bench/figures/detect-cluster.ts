import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startKubeApiServer } from '../../support/processes/kube-api-server.ts';
import type { KubeApiServer } from '../../support/processes/kube-api-server.ts';
import { reading } from '../figure.ts';
import type { Figure, Row } from '../figure.ts';

const podsPerOwner = 10;
const sidecar = 'docker.io/envoyproxy/envoy:v1.30.1';
const program = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

/** `breakwater detect` over the pods of a real API server on this machine, which shares the cores with it. */
export const detectCluster: Figure = {
  name: 'detect-cluster',
  async measure(bench) {
    const pods = bench.quick ? 500 : 5000;
    await using cluster = await startKubeApiServer();
    bench.say(`${pods} pods are made`);
    await fill(cluster, pods);
    await detect(cluster, pods);
    const runs: Run[] = [];
    for (let run = 0; run < bench.runs; run += 1) runs.push(await detect(cluster, pods));
    const counted = pods.toLocaleString('en-US');
    const notes = [
      `a tenth as many Deployments and ReplicaSets, pods of ${podsBytes} bytes of JSON about, kube-apiserver 1.36 on the same cores`,
    ];
    return [
      rowOf(`detect over ${counted} pods`, 's', runs, ({ seconds }) => seconds, 5, notes),
      rowOf(
        `memory of detect over ${counted} pods`,
        'MB',
        runs,
        ({ megabytes }) => megabytes,
        200,
        notes,
      ),
    ];
  },
};

const podsBytes = 4000;

interface Run {
  readonly seconds: number;
  /** The most that it held at a time. */
  readonly megabytes: number;
}

function rowOf(
  title: string,
  unit: string,
  runs: readonly Run[],
  of: (run: Run) => number,
  atMost: number,
  notes: readonly string[],
): Row {
  const readings = [reading('breakwater', runs.map(of))];
  const value = readings[0]?.median ?? Number.NaN;
  return {
    title,
    unit,
    readings,
    ratios: [{ what: 'breakwater', value, goal: { atMost } }],
    notes,
  };
}

async function fill(cluster: KubeApiServer, pods: number): Promise<void> {
  const owners = pods / podsPerOwner;
  const namespace = (owner: number): string => `n${owner % 10}`;
  for (let index = 0; index < 10; index += 1)
    await cluster.send('POST', '/api/v1/namespaces', { metadata: { name: `n${index}` } });
  await eachOf(owners, async (owner) => {
    const selector = { matchLabels: { app: `app${owner}` } };
    const template = { metadata: { labels: selector.matchLabels }, spec: podSpec(owner) };
    const path = `/apis/apps/v1/namespaces/${namespace(owner)}`;
    await cluster.send('POST', `${path}/deployments`, {
      metadata: { name: `app${owner}` },
      spec: { selector, template },
    });
    await cluster.send('POST', `${path}/replicasets`, {
      metadata: { name: `app${owner}-1`, ownerReferences: [by('Deployment', `app${owner}`)] },
      spec: { selector, template },
    });
  });
  await eachOf(pods, async (pod) => {
    const owner = pod % owners;
    await cluster.send('POST', `/api/v1/namespaces/${namespace(owner)}/pods`, {
      metadata: {
        name: `app${owner}-1-${pod}`,
        labels: { app: `app${owner}`, 'app.kubernetes.io/name': 'app', 'pod-template-hash': '1' },
        annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9090' },
        ownerReferences: [by('ReplicaSet', `app${owner}-1`)],
      },
      spec: { ...podSpec(owner), nodeName: `node${pod % 50}` },
    });
  });
}

function by(kind: string, name: string): object {
  return { apiVersion: 'apps/v1', kind, name, uid: `${kind}-${name}`, controller: true };
}

function podSpec(owner: number): object {
  const probe = { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 10 };
  return {
    initContainers: [{ name: 'init', image: 'k8s.gcr.io/pause:3.5' }],
    containers: [
      {
        name: 'main',
        image: `quay.io/team/app${owner % 200}:1.${owner % 7}`,
        resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
        env: Array.from({ length: 12 }, (_, n) => ({ name: `VARIABLE_${n}`, value: `value ${n}` })),
        volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
        livenessProbe: probe,
        readinessProbe: probe,
      },
      { name: 'proxy', image: sidecar },
    ],
    volumes: [{ name: 'scratch', emptyDir: {} }],
  };
}

async function eachOf(count: number, make: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await make(index);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}

/** One run as a process of its own; throws where it has not counted each pod. */
async function detect(cluster: KubeApiServer, pods: number): Promise<Run> {
  const begun = performance.now();
  const args = [program, 'detect', '--kubeconfig', cluster.kubeconfig, '-q', '-o', 'json'];
  const child = spawn(process.execPath, args, {
    cwd: cluster.folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = once(child, 'close');
  let over = false;
  void ended.then(() => (over = true));
  let bytes = 0;
  while (!over) {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    const peak = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
    bytes = Math.max(bytes, peak);
    await Promise.race([ended, delay(20)]);
  }
  const seconds = (performance.now() - begun) / 1000;
  const { items } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
    readonly items: readonly { readonly image: string; readonly count: number }[];
  };
  assert.equal(items.find(({ image }) => image === sidecar)?.count, pods);
  return { seconds, megabytes: bytes / 1e6 };
}
