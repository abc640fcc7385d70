import { alternate, ratioOf } from '../figure.ts';
import type { Bench, Figure, Row } from '../figure.ts';
import { mebibyte } from './cold-blob.ts';
import { costNote, pushSystems, pushTo } from './push-run.ts';

const size = 1024 * mebibyte;

/** Bytes a second of one large blob, in one PUT and in chunks. */
export const pushBlob: Figure = {
  name: 'push-blob',
  async measure(bench) {
    return [
      await measureRow(bench, 'blob', 'POST and PUT'),
      await measureRow(bench, 'chunked blob', 'PATCH of 16 MiB chunks with Content-Range'),
    ];
  },
};

async function measureRow(bench: Bench, only: 'blob' | 'chunked blob', how: string): Promise<Row> {
  const costs = new Map<string, number[]>();
  const contenders = pushSystems(bench).map((name) => ({
    name,
    async measure(run: number) {
      const layers = [{ seed: `${only} ${run}`, size }];
      const push = { repository: 'bench/push', tag: 'latest', layers, only };
      const label = `push-${only.replace(' ', '-')}-${run}`;
      const { seconds, cpuSeconds } = await pushTo(bench, name, label, [push]);
      costs.set(name, [...(costs.get(name) ?? []), cpuSeconds / (size / 1e9)]);
      return size / seconds / 1e9;
    },
  }));
  const readings = await alternate(bench.runs, contenders);
  return {
    title: `Push of one 1 GiB blob, ${only === 'blob' ? 'single' : 'chunked'}`,
    unit: 'GB/s',
    readings,
    ratios: ratioOf(readings, 'breakwater', 'distribution', { atLeast: 1.2 }),
    notes: [`${how}, one client, a new process and an empty store each run`, costNote(costs)],
  };
}
