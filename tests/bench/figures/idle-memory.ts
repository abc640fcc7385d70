import { setTimeout as delay } from 'node:timers/promises';
import { reading } from '../figure.ts';
import type { Figure, Row } from '../figure.ts';
import { residentBytes } from '../processes.ts';
import { imagePaths, mebibyte, pullWhole } from './cold-blob.ts';

/** A server that has nothing to do gives memory back within seconds; its hash thread ends after ten. */
const settleMs = 15_000;

/** What stays resident where nothing happens. The first start is not counted: it writes Node's compile cache. */
export const idleMemory: Figure = {
  name: 'memory-idle',
  async measure(bench) {
    const image = await bench.upstream.publish({
      repository: 'bench/idle',
      tag: 'latest',
      layers: [
        { seed: 'idle 1', size: 30 * mebibyte },
        { seed: 'idle 2', size: 5 * mebibyte },
      ],
    });
    await (await bench.startBreakwater('memory-idle-first')).stop();
    const idle: number[] = [];
    const pulled: number[] = [];
    for (let run = 0; run < bench.runs; run += 1) {
      const system = await bench.startBreakwater(`memory-idle-${run}`);
      await delay(settleMs);
      idle.push(residentBytes(system.pid) / 1e6);
      await pullWhole(bench, system, imagePaths(system, image));
      await delay(settleMs);
      pulled.push(residentBytes(system.pid) / 1e6);
      await system.stop();
    }
    return [
      row('Resident memory of an idle server', idle, 120),
      row('Resident memory after one pull of 35 MiB', pulled, 150),
    ];
  },
};

function row(title: string, samples: readonly number[], most: number): Row {
  const measured = reading('breakwater', samples);
  const { median: value } = measured;
  return {
    title,
    unit: 'MB',
    readings: [measured],
    ratios: [{ what: 'breakwater, the median of the runs', value, goal: { atMost: most } }],
    notes: [
      `VmRSS of the server's process alone, ${settleMs / 1000} s later; npm and the starter beside it are not counted`,
    ],
  };
}
