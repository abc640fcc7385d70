import { alternate, ratioOf, reading } from '../figure.ts';
import type { Figure, Row } from '../figure.ts';
import type { Push } from '../load-job.ts';
import { costNote, pushSystems, pushTo } from './push-run.ts';

const pushers = 50;
const layerBytes = 10_000_000;

/** Many clients that each push an image of their own to a repository of their own, at the same moment. */
export const pushImages: Figure = {
  name: 'push-images',
  async measure(bench) {
    const costs = new Map<string, number[]>();
    const peaks = new Map<string, number[]>();
    const contenders = pushSystems(bench).map((name) => ({
      name,
      async measure(run: number) {
        const pushes = Array.from({ length: pushers }, (_, index) => imageOf(run, index));
        const label = `push-images-${run}`;
        const { seconds, peakBytes, cpuSeconds } = await pushTo(bench, name, label, pushes);
        const gigabytes = (pushers * 2 * layerBytes) / 1e9;
        costs.set(name, [...(costs.get(name) ?? []), cpuSeconds / gigabytes]);
        peaks.set(name, [...(peaks.get(name) ?? []), peakBytes / 1e6]);
        return pushers / seconds;
      },
    }));
    const readings = await alternate(bench.runs, contenders);
    const memory = [...peaks].map(([name, samples]) => reading(name, samples));
    const note = 'config, two layers of 10 MB and a manifest each; a new process each run';
    const rows: readonly Row[] = [
      {
        title: `${pushers} parallel pushes of 20 MB images`,
        unit: 'images/s',
        readings,
        ratios: ratioOf(readings, 'breakwater', 'distribution', { atLeast: 1.5 }),
        notes: [note, 'each client asks for every blob before it pushes', costNote(costs)],
      },
      {
        title: `Peak resident memory, ${pushers} parallel pushes of 20 MB images`,
        unit: 'MB',
        readings: memory,
        ratios: [
          {
            what: 'breakwater, the median of the runs',
            value: memory.find(({ system }) => system === 'breakwater')?.median ?? Number.NaN,
            goal: { atMost: 250 },
          },
        ],
        notes: [],
      },
    ];
    return rows;
  },
};

function imageOf(run: number, index: number): Push {
  return {
    repository: `bench/push-${index}`,
    tag: 'latest',
    layers: ['a', 'b'].map((layer) => ({
      seed: `push ${run} ${index} ${layer}`,
      size: layerBytes,
    })),
  };
}
