import { alternate, ratioOf, reading } from '../figure.ts';
import type { Bench, Figure, Reading, Row } from '../figure.ts';
import { blobClient, measureThroughput, measureWrkBytes, requestClient } from '../load-job.ts';
import { cpuSeconds } from '../processes.ts';
import { pushImage } from '../push.ts';
import { startDistribution } from '../systems/distribution.ts';
import { startNginx } from '../systems/nginx.ts';
import type { SyntheticBlob, SyntheticImage } from '../synthetic-image.ts';
import type { System } from '../systems/system.ts';
import { imagePaths, mebibyte, pullWhole, settle } from './cold-blob.ts';

const connections = 4;
const size = 100 * mebibyte;

/** `wrk` copies what it reads and is the slower side of the two, so that the servers differ less by it. */
type Client = typeof blobClient | 'wrk';

/** Bytes a second of one blob, again and again, over plain connections by both clients, and over TLS. */
export const warmBlob: Figure = {
  name: 'blob',
  async measure(bench) {
    const image = await bench.upstream.publish({
      repository: 'bench/blob',
      tag: 'latest',
      layers: [{ seed: 'warm blob', size }],
    });
    const [layer] = image.layers as [SyntheticBlob];
    const systems = await startAll(bench, image);
    const rows: Row[] = [];
    for (const tls of [false, true]) {
      const contenders = systems.filter((system) => system.tls === tls);
      if (contenders.length === 0) continue;
      rows.push(await measureRow(bench, contenders, layer, blobClient));
      if (!tls && requestClient === 'wrk')
        rows.push(await measureRow(bench, contenders, layer, 'wrk'));
    }
    for (const system of systems) await system.stop();
    return rows;
  },
};

async function measureRow(
  bench: Bench,
  systems: readonly System[],
  layer: SyntheticBlob,
  client: Client,
): Promise<Row> {
  const tls = systems.some((system) => system.tls);
  const read = client === 'wrk' ? measureWrkBytes : measureThroughput;
  const serverSeconds = new Map<System, number[]>();
  const measure = async (system: System, durationMs: number): Promise<number> => {
    const path = system.path('bench/blob', `blobs/${layer.digest}`);
    const { host, port } = system;
    const before = cpuSeconds(system.pid);
    const job = { host, port, tls, path, connections, durationMs };
    const { bytes, seconds } = await read(bench.processes, job);
    const spent = cpuSeconds(system.pid) - before;
    serverSeconds.set(system, [...(serverSeconds.get(system) ?? []), spent / (bytes / 1e9)]);
    return bytes / seconds / 1e9;
  };
  for (const system of systems) {
    await settle(system);
    await measure(system, 1000);
  }
  serverSeconds.clear();
  const contenders = systems.map((system) => ({
    name: system.name,
    measure: () => measure(system, bench.quick ? 1000 : 2000),
  }));
  const readings = await alternate(bench.runs, contenders);
  const costs = systems.map((system) => reading(system.name, serverSeconds.get(system) ?? []));
  const suffix = tls ? ' TLS' : '';
  return {
    title: `Warm 100 MiB blob${tls ? ', TLS' : client === 'wrk' ? ', by wrk' : ''}`,
    unit: 'GB/s',
    readings,
    ratios: [
      ...(client === 'wrk'
        ? []
        : ratioOf(readings, `breakwater${suffix}`, `distribution${suffix}`, {
            atLeast: tls ? 1.15 : 1.4,
          })),
      ...(tls ? [] : ratioOf(readings, 'breakwater', 'nginx', { atLeast: 0.95 })),
    ],
    notes: [
      `${connections} connections, client ${client}`,
      `server CPU: ${costs.map(formatCost).join(', ')}`,
    ],
  };
}

function formatCost({ system, median }: Reading): string {
  return `${system} ${median.toFixed(2)} s/GB`;
}

async function startAll(bench: Bench, image: SyntheticImage): Promise<readonly System[]> {
  const { processes, peers, certificate } = bench;
  const folder = bench.folder('blob');
  const systems: System[] = [];
  const certificates = certificate === undefined ? [undefined] : [undefined, certificate];
  for (const tls of certificates) {
    const breakwater = await bench.startBreakwater(
      tls === undefined ? 'blob-breakwater' : 'blob-breakwater-tls',
      tls && { certificate: tls },
    );
    await pullWhole(bench, breakwater, imagePaths(breakwater, image));
    systems.push(breakwater);
  }
  if (peers.distribution !== undefined) {
    const store = bench.folder('blob-store');
    const common = { binary: peers.distribution, processes, folder, store };
    const plain = await startDistribution({ ...common, name: 'distribution' });
    await pushImage(plain, image);
    systems.push(plain);
    if (certificate !== undefined)
      systems.push(await startDistribution({ ...common, name: 'distribution TLS', certificate }));
  }
  if (peers.dockerRegistry !== undefined) {
    const store = bench.folder('blob-older-store');
    const common = { binary: peers.dockerRegistry, processes, folder, store };
    const older = await startDistribution({ ...common, name: 'docker-registry 2.8' });
    await pushImage(older, image);
    systems.push(older);
  }
  if (peers.nginx !== undefined && certificate !== undefined) {
    const options = { binary: peers.nginx, processes, folder, images: [image], certificate };
    const { plain, tls } = await startNginx(options);
    systems.push(plain, tls);
  }
  return systems;
}
