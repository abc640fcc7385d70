import { rmSync } from 'node:fs';
import { administratorOf } from '../administrator.ts';
import { median } from '../figure.ts';
import type { Bench } from '../figure.ts';
import { measurePush } from '../load-job.ts';
import type { Push } from '../load-job.ts';
import { cpuSeconds, peakResidentBytes } from '../processes.ts';
import { startDistribution } from '../systems/distribution.ts';
import type { System } from '../systems/system.ts';
import { mebibyte, settle } from './cold-blob.ts';

export interface PushRun {
  readonly seconds: number;
  /** Of the server, from its start to the end of the pushes. */
  readonly peakBytes: number;
  /** Of the server during the pushes. */
  readonly cpuSeconds: number;
}

/** The systems that can be pushed to. */
export function pushSystems(bench: Bench): readonly ('breakwater' | 'distribution')[] {
  return bench.peers.distribution === undefined ? ['breakwater'] : ['breakwater', 'distribution'];
}

/** Pushes to a server of its own with an empty store, warmed up and gone afterwards, so that a disk need not hold every run. */
export async function pushTo(
  bench: Bench,
  name: 'breakwater' | 'distribution',
  label: string,
  pushes: readonly Push[],
): Promise<PushRun> {
  const folderName = `${label}-${name}`;
  const folder = bench.folder(folderName);
  const system =
    name === 'breakwater'
      ? await bench.startBreakwater(folderName)
      : await startPeer(bench, folder, folderName);
  const authorization = name === 'breakwater' ? administratorOf(folder) : undefined;
  const { host, port } = system;
  const job = { host, port, ...(authorization !== undefined && { authorization }) };
  const warmUp = Array.from({ length: 4 }, (_, index): Push => ({
    repository: `bench/warm-up-${index}`,
    tag: 'latest',
    layers: [{ seed: `${label} warm-up ${index}`, size: 4 * mebibyte }],
    ...(pushes[0]?.only !== undefined && { only: pushes[0].only }),
  }));
  await measurePush(bench.processes, { ...job, pushes: warmUp, timeoutMs: 60_000 });
  await settle(system);
  const before = cpuSeconds(system.pid);
  const { seconds } = await measurePush(bench.processes, { ...job, pushes, timeoutMs: 300_000 });
  const spent = cpuSeconds(system.pid) - before;
  const peakBytes = peakResidentBytes(system.pid);
  await system.stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  return { seconds, peakBytes, cpuSeconds: spent };
}

function startPeer(bench: Bench, folder: string, folderName: string): Promise<System> {
  const { processes, peers } = bench;
  if (peers.distribution === undefined) throw new Error('no distribution');
  return startDistribution({
    name: 'distribution',
    binary: peers.distribution,
    processes,
    folder,
    store: bench.folder(`${folderName}/store`),
  });
}

/** What the server's core spent, for a row's notes: it tells more than the rate where the machine is busy. */
export function costNote(costs: ReadonlyMap<string, readonly number[]>): string {
  const texts = [...costs].map(([name, samples]) => `${name} ${median(samples).toFixed(2)} s/GB`);
  return `server CPU: ${texts.join(', ')}`;
}
