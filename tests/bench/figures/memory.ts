import { alternate } from '../figure.ts';
import type { Figure, Row } from '../figure.ts';
import { peakResidentBytes } from '../processes.ts';
import { mebibyte, publishCold, pull, pullWhole, requireComplete, settle } from './cold-blob.ts';

/** Each run has a process of its own: the peak is its whole life's. */
const clients = 200;

function row(title: string, samples: Awaited<ReturnType<typeof alternate>>, most: number): Row {
  const value = samples[0]?.median ?? Number.NaN;
  return {
    title,
    unit: 'MB',
    readings: samples,
    ratios: [{ what: 'breakwater, the median of the runs', value, goal: { atMost: most } }],
    notes: [],
  };
}

export const coldMemory: Figure = {
  name: 'memory-cold',
  async measure(bench) {
    const seconds: number[] = [];
    const readings = await alternate(bench.runs, [
      {
        name: 'breakwater',
        async measure(run) {
          const system = await bench.startBreakwater(`memory-cold-${run}`);
          const { layer } = await publishCold(bench, 100 * mebibyte);
          const path = system.path('bench/cold', `blobs/${layer.digest}`);
          const result = await pullWhole(bench, system, [path], clients);
          seconds.push(result.seconds);
          await settle(system);
          const peak = peakResidentBytes(system.pid) / 1e6;
          await system.stop();
          return peak;
        },
      },
    ]);
    const measured = row(
      `Peak resident memory, ${clients} clients on one cold 100 MiB blob`,
      readings,
      250,
    );
    return [{ ...measured, notes: [`a run took ${Math.max(...seconds).toFixed(1)} s at most`] }];
  },
};

export const warmMemory: Figure = {
  name: 'memory-warm',
  async measure(bench) {
    const name = 'memory-warm';
    const { layer } = await publishCold(bench, 1024 * mebibyte);
    const first = await bench.startBreakwater(name);
    const path = first.path('bench/cold', `blobs/${layer.digest}`);
    await pullWhole(bench, first, [path]);
    await settle(first);
    await first.stop();
    const stopAfterMs = bench.quick ? 3000 : 10_000;
    let bytes = 0;
    const readings = await alternate(bench.runs, [
      {
        name: 'breakwater',
        async measure() {
          const system = await bench.startBreakwater(name);
          const options = { connections: clients, timeoutMs: 60_000, stopAfterMs };
          const result = await pull(bench, system, [path], options);
          const stopped = result.failures['stopped'] ?? 0;
          requireComplete({ ...result, complete: result.complete + stopped }, system, clients);
          bytes = result.bytes;
          const peak = peakResidentBytes(system.pid) / 1e6;
          await system.stop();
          return peak;
        },
      },
    ]);
    const measured = row(
      `Peak resident memory, ${clients} clients on one warm 1 GiB blob`,
      readings,
      300,
    );
    const read = (bytes / 1e9).toFixed(1);
    return [
      { ...measured, notes: [`clients leave after ${stopAfterMs / 1000} s, ${read} GB read`] },
    ];
  },
};
