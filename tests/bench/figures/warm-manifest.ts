import { alternate, ratioOf } from '../figure.ts';
import type { Bench, Figure, Row } from '../figure.ts';
import { measureRequests } from '../load-job.ts';
import { cpuSeconds } from '../processes.ts';
import { pushImage } from '../push.ts';
import { startBareNode } from '../systems/bare-node.ts';
import { startDistribution } from '../systems/distribution.ts';
import { startNginx } from '../systems/nginx.ts';
import type { SyntheticImage } from '../synthetic-image.ts';
import type { System } from '../systems/system.ts';
import { imagePaths, pullWhole } from './cold-blob.ts';

const connections = 32;
/** A manifest of 2 KB. */
const layers = 10;

/** Requests a second for one manifest by its tag, again and again. */
export const warmManifest: Figure = {
  name: 'manifest',
  async measure(bench) {
    const image = await bench.upstream.publish({
      repository: 'bench/manifest',
      tag: 'latest',
      layers: Array.from({ length: layers }, (_, index) => ({ seed: `m${index}`, size: 1024 })),
    });
    const systems = await startAll(bench, image);
    /** Seconds of the server's core a request, of its last run. */
    const costs = new Map<string, number>();
    const contenders = systems.map((system) => ({
      name: system.name,
      measure: () => requests(bench, system, image, bench.quick ? 1000 : 2000, costs),
    }));
    for (const system of systems) await requests(bench, system, image, 1000, costs);
    const readings = await alternate(bench.runs, contenders);
    for (const system of systems) await system.stop();
    const row: Row = {
      title: 'Warm manifest by tag',
      unit: 'requests/s',
      readings,
      ratios: [
        ...ratioOf(readings, 'breakwater', 'distribution', { atLeast: 8 }),
        ...ratioOf(readings, 'breakwater', 'distribution proxy', { atLeast: 60 }),
        ...ratioOf(readings, 'breakwater', 'bare Node http', { atLeast: 0.75 }),
      ],
      notes: [
        `${image.manifest.length} bytes, ${connections} connections`,
        `server CPU: ${[...costs].map(([name, cost]) => `${name} ${(cost * 1e6).toFixed(0)} µs`).join(', ')}`,
      ],
    };
    return [row];
  },
};

async function requests(
  bench: Bench,
  system: System,
  image: SyntheticImage,
  durationMs: number,
  costs: Map<string, number>,
): Promise<number> {
  const path = system.path(image.repository, `manifests/${image.tag}`);
  const { host, port, tls } = system;
  const job = { host, port, tls, path, connections, durationMs };
  const before = cpuSeconds(system.pid);
  const rate = await measureRequests(bench.processes, job);
  costs.set(system.name, (cpuSeconds(system.pid) - before) / (rate * (durationMs / 1000)));
  return rate;
}

async function startAll(bench: Bench, image: SyntheticImage): Promise<readonly System[]> {
  const { processes, peers, certificate } = bench;
  const folder = bench.folder('manifest');
  const systems: System[] = [];
  const breakwater = await bench.startBreakwater('manifest');
  await pullWhole(bench, breakwater, imagePaths(breakwater, image));
  const path = breakwater.path(image.repository, `manifests/${image.tag}`);
  systems.push(breakwater, await startBareNode(processes, breakwater, path));
  const store = bench.folder('manifest-store');
  if (peers.distribution !== undefined) {
    const common = { binary: peers.distribution, processes, folder };
    const registry = await startDistribution({ ...common, name: 'distribution', store });
    await pushImage(registry, image);
    const proxy = await startDistribution({
      ...common,
      name: 'distribution proxy',
      store: bench.folder('manifest-proxy-store'),
      remoteUrl: bench.upstream.url,
    });
    await pullWhole(bench, proxy, imagePaths(proxy, image));
    systems.push(registry, proxy);
  }
  if (peers.dockerRegistry !== undefined) {
    const older = await startDistribution({
      name: 'docker-registry 2.8',
      binary: peers.dockerRegistry,
      processes,
      folder,
      store: bench.folder('manifest-older-store'),
    });
    await pushImage(older, image);
    systems.push(older);
  }
  if (peers.nginx !== undefined && certificate !== undefined) {
    const options = { binary: peers.nginx, processes, folder, images: [image], certificate };
    systems.push((await startNginx(options)).plain);
  }
  return systems;
}
