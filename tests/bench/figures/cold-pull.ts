import { alternate, ratioOf, reading } from '../figure.ts';
import type { Bench, Contender, Figure, Row } from '../figure.ts';
import { startDistribution } from '../systems/distribution.ts';
import type { System } from '../systems/system.ts';
import { directSystem, imagePaths, mebibyte, publishCold, pullWhole, settle } from './cold-blob.ts';

async function startBoth(bench: Bench, name: string): Promise<readonly System[]> {
  const { processes, peers, upstream } = bench;
  const folder = bench.folder(name);
  const systems: System[] = [await bench.startBreakwater(name)];
  if (peers.distribution !== undefined)
    systems.push(
      await startDistribution({
        name: 'distribution proxy',
        binary: peers.distribution,
        processes,
        folder,
        store: bench.folder(`${name}-proxy-store`),
        remoteUrl: upstream.url,
      }),
    );
  return systems;
}

/** Twenty clients at the same moment on a blob that nobody has: how often is it fetched? */
export const fanIn: Figure = {
  name: 'fan-in',
  async measure(bench) {
    const clients = 20;
    const size = 100 * mebibyte;
    const systems = await startBoth(bench, 'fan-in');
    const seconds: number[] = [];
    const contenders = systems.map((system): Contender => ({
      name: system.name,
      async measure() {
        const { layer } = await publishCold(bench, size);
        await settle(system);
        await bench.upstream.reset();
        const path = system.path('bench/cold', `blobs/${layer.digest}`);
        const result = await pullWhole(bench, system, [path], clients);
        if (system.name === 'breakwater') seconds.push(result.seconds);
        return (await bench.upstream.stats()).blobBytes / size;
      },
    }));
    const readings = await alternate(bench.runs, contenders);
    for (const system of systems) await system.stop();
    const ours = reading('', seconds);
    const row: Row = {
      title: '20 clients on one cold 100 MiB blob',
      unit: 'upstream bytes ÷ blob',
      readings,
      ratios: [{ what: 'breakwater', value: readings[0]?.median ?? NaN, goal: { atMost: 1.01 } }],
      notes: [`breakwater: all 20 done after ${ours.median.toFixed(2)} s`],
    };
    return [row];
  },
};

/** The first client's first byte of a cold blob, against asking upstream itself; each on a new connection. */
export const firstByte: Figure = {
  name: 'first-byte',
  async measure(bench) {
    const systems = [directSystem(bench), ...(await startBoth(bench, 'first-byte'))];
    const measure = async (system: System): Promise<number> => {
      const { layer } = await publishCold(bench, 100 * mebibyte);
      await settle(system);
      const path = system.path('bench/cold', `blobs/${layer.digest}`);
      return (await pullWhole(bench, system, [path], 1, true)).firstByteMs[0] ?? NaN;
    };
    for (const system of systems) for (let run = 0; run < 3; run += 1) await measure(system);
    const contenders = systems.map((system) => ({
      name: system.name,
      measure: () => measure(system),
    }));
    const readings = await alternate(bench.latencyRuns, contenders);
    for (const system of systems) await system.stop();
    const [direct, ours] = readings;
    const row: Row = {
      title: 'First byte of a cold 100 MiB blob, first client',
      unit: 'ms',
      readings,
      ratios: [
        {
          what: 'breakwater − direct, ms',
          value: (ours?.median ?? NaN) - (direct?.median ?? NaN),
          goal: { atMost: 5 },
        },
      ],
      notes: ['asked for by its digest with nothing held: no manifest, no size known'],
    };
    return [row];
  },
};

/** A whole image of one large layer, from an upstream that gives each connection so much and no more. */
export const limitedPull: Figure = {
  name: 'limited',
  async measure(bench) {
    const size = bench.quick ? 100_000_000 : 500_000_000;
    const [ours, ...proxies] = await startBoth(bench, 'limited');
    if (ours === undefined) throw new Error('nothing to measure');
    const measure = async (system: System): Promise<number> => {
      const { image } = await publishCold(bench, size);
      await settle(system);
      return (await pullWhole(bench, system, imagePaths(system, image))).seconds;
    };
    await bench.upstream.limit(50_000_000);
    try {
      const contender = (system: System): Contender => ({
        name: system.name,
        measure: () => measure(system),
      });
      const readings = [
        ...(await alternate(bench.runs, [contender(directSystem(bench)), contender(ours)])),
        // Once: it takes as long as it takes, every time.
        ...(await alternate(1, proxies.map(contender))),
      ];
      const row: Row = {
        title: `Cold pull of ${size / 1e6} MB, upstream limited to 50 MB/s a connection`,
        unit: 's',
        readings,
        ratios: ratioOf(readings, 'breakwater', 'direct', { atMost: 0.4 }),
        notes: ['manifest, config and one layer, one client'],
      };
      return [row];
    } finally {
      await bench.upstream.limit(0);
      for (const system of [ours, ...proxies]) await system.stop();
    }
  },
};
