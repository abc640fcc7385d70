import { setTimeout as delay } from 'node:timers/promises';
import type { Bench, Figure, Row } from '../figure.ts';
import { reading } from '../figure.ts';
import { startDistribution } from '../systems/distribution.ts';
import type { System } from '../systems/system.ts';
import { imagePaths, pullWhole, settle } from './cold-blob.ts';

const pulls = 100;
const freshForSeconds = 5;

/** What a hundred pulls of an unchanged tag ask of upstream, while it is fresh and just after. */
export const upstreamRequests: Figure = {
  name: 'upstream-requests',
  async measure(bench) {
    const image = await bench.upstream.publish({
      repository: 'bench/unchanged',
      tag: 'latest',
      layers: [{ seed: 'unchanged', size: 100_000 }],
    });
    const count = async (system: System, waitMs: number): Promise<number> => {
      const paths = imagePaths(system, image);
      await pullWhole(bench, system, paths);
      await settle(system);
      await delay(waitMs);
      await bench.upstream.reset();
      await pullWhole(bench, system, Array.from({ length: pulls }, () => paths).flat());
      await settle(system);
      return (await bench.upstream.stats()).requests;
    };
    const fresh = await bench.startBreakwater('unchanged-fresh');
    const whileFresh = await count(fresh, 0);
    await fresh.stop();
    const short = await bench.startBreakwater('unchanged-after', {
      freshFor: `${freshForSeconds}s`,
    });
    const after = await count(short, (freshForSeconds + 0.5) * 1000);
    await short.stop();
    const proxied = await countProxy(bench, count);
    const row: Row = {
      title: `Upstream requests per ${pulls} pulls of an unchanged tag`,
      unit: 'requests',
      readings: [
        reading('breakwater, fresh', [whileFresh]),
        reading('breakwater, just after', [after]),
        ...proxied.map((requests) => reading('distribution proxy', [requests])),
      ],
      ratios: [
        { what: 'breakwater, fresh', value: whileFresh, goal: { atMost: 0 } },
        { what: 'breakwater, just after', value: after, goal: { atMost: 1 } },
      ],
      notes: [
        `manifest by tag, config and layer each time; freshFor 24h, then ${freshForSeconds}s`,
      ],
    };
    return [row];
  },
};

async function countProxy(
  bench: Bench,
  count: (system: System, waitMs: number) => Promise<number>,
): Promise<readonly number[]> {
  if (bench.peers.distribution === undefined) return [];
  const proxy = await startDistribution({
    name: 'distribution proxy',
    binary: bench.peers.distribution,
    processes: bench.processes,
    folder: bench.folder('unchanged-proxy'),
    store: bench.folder('unchanged-proxy-store'),
    remoteUrl: bench.upstream.url,
  });
  const requests = await count(proxy, 0);
  await proxy.stop();
  return [requests];
}
