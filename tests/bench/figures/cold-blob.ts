import type { Bench } from '../figure.ts';
import { measurePull } from '../load-job.ts';
import type { PullJob, PullResult } from '../load-job.ts';
import type { SyntheticBlob, SyntheticImage } from '../synthetic-image.ts';
import type { System } from '../systems/system.ts';
import { cpuSeconds } from '../processes.ts';
import { setTimeout as delay } from 'node:timers/promises';

export const mebibyte: number = 1024 * 1024;

/** The upstream itself as something to pull from. */
export function directSystem(bench: Bench): System {
  const url = new URL(bench.upstream.url);
  return {
    name: 'direct',
    pid: -1,
    host: url.hostname,
    port: Number(url.port),
    tls: false,
    path: (repository, rest) => `/v2/${repository}/${rest}`,
    stop: async () => undefined,
  };
}

let published = 0;

/** An image of one layer that nobody has pulled yet. */
export async function publishCold(
  bench: Bench,
  size: number,
): Promise<{ readonly image: SyntheticImage; readonly layer: SyntheticBlob }> {
  published += 1;
  const image = await bench.upstream.publish({
    repository: 'bench/cold',
    tag: `v${published}`,
    layers: [{ seed: `cold ${published}`, size }],
  });
  const layer = image.layers[0];
  if (layer === undefined) throw new Error('an image without its layer');
  return { image, layer };
}

export async function pull(
  bench: Bench,
  system: System,
  paths: readonly string[],
  options: Pick<PullJob, 'connections' | 'timeoutMs' | 'stopAfterMs' | 'warmUp' | 'atOnce'>,
): Promise<PullResult> {
  const { host, port, tls } = system;
  return measurePull(bench.processes, { host, port, tls, paths, ...options });
}

/** Every client must have got everything, or the figure means nothing. */
export function requireComplete(result: PullResult, system: System, clients: number): void {
  if (result.complete === clients) return;
  throw new Error(
    `${system.name}: ${result.complete} of ${clients} clients got all: ${JSON.stringify(result.failures)}`,
  );
}

export async function pullWhole(
  bench: Bench,
  system: System,
  paths: readonly string[],
  connections: number = 1,
  warmUp: boolean = false,
): Promise<PullResult> {
  const result = await pull(bench, system, paths, { connections, timeoutMs: 180_000, warmUp });
  requireComplete(result, system, connections);
  return result;
}

export function imagePaths(system: System, image: SyntheticImage): readonly string[] {
  return [
    system.path(image.repository, `manifests/${image.tag}`),
    ...[image.config, ...image.layers].map((blob) =>
      system.path(image.repository, `blobs/${blob.digest}`),
    ),
  ];
}

/** Until the server has nothing to do, so that the work of one run does not fall into the next. */
export async function settle(system: System): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    const before = cpuSeconds(system.pid);
    await delay(100);
    if (!(cpuSeconds(system.pid) - before > 0.01)) return;
  }
}
