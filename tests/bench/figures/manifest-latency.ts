import { administratorKeys } from '../administrator.ts';
import { callEcr } from '../aws-call.ts';
import { percentile99, reading } from '../figure.ts';
import type { Bench, Figure, Reading, Row } from '../figure.ts';
import { measureLatencies } from '../load-job.ts';
import { startPartsLoad } from '../parts-job.ts';
import type { SyntheticImage } from '../synthetic-image.ts';
import type { System } from '../systems/system.ts';
import { imagePaths, pullWhole } from './cold-blob.ts';

const rules = 1000;
const parts = 4;
const partBytes = 20 * 2 ** 20;

/** How long a warm manifest takes where the server has time left: alone, beside many rules, and beside layers pushed over the ECR API. */
export const manifestLatency: Figure = {
  name: 'manifest-latency',
  async measure(bench) {
    const image = await bench.upstream.publish({
      repository: 'bench/latency',
      tag: 'latest',
      layers: [{ seed: 'latency', size: 10_000 }],
    });
    const plain = await bench.startBreakwater('latency');
    const ruled = await bench.startBreakwater('latency-ruled');
    for (const system of [plain, ruled]) await pullWhole(bench, system, imagePaths(system, image));
    await createRules(bench, ruled);
    const samples = new Map<string, number[]>();
    const measure = async (name: string, system: System): Promise<void> => {
      const taken = await latencyOf(bench, system, image);
      samples.set(name, [...(samples.get(name) ?? []), taken]);
    };
    for (const system of [plain, ruled]) await latencyOf(bench, system, image);
    for (let run = 0; run < bench.runs; run += 1) {
      await measure('alone', plain);
      await measure(`beside ${rules} rules`, ruled);
    }
    const keys = administratorKeys(bench.folder('latency'));
    const load = await startPartsLoad(bench.processes, {
      host: plain.host,
      port: plain.port,
      keys,
      parts,
      partBytes,
    });
    for (let run = 0; run < bench.runs; run += 1) await measure('beside four layer parts', plain);
    const sent = await load.stop();
    for (const system of [plain, ruled]) await system.stop();
    return [rowOf(samples, sent)];
  },
};

/** Of a thousand requests, one after another, in ms. */
export async function latencyOf(
  bench: Bench,
  system: System,
  image: SyntheticImage,
): Promise<number> {
  const path = system.path(image.repository, `manifests/${image.tag}`);
  const { host, port, tls } = system;
  const requests = bench.quick ? 200 : 1000;
  return percentile99(
    await measureLatencies(bench.processes, { host, port, tls, path, requests, pauseMs: 2 }),
  );
}

function rowOf(samples: ReadonlyMap<string, readonly number[]>, sent: number): Row {
  const readings: readonly Reading[] = [...samples].map(([name, each]) => reading(name, each));
  const [alone, ruled, beside] = readings.map(({ median }) => median);
  return {
    title: 'Warm manifest by tag, p99 of 1,000 requests',
    unit: 'ms',
    readings,
    ratios: [
      {
        what: `beside ${rules} rules ÷ alone`,
        value: (ruled ?? NaN) / (alone ?? NaN),
        goal: { atMost: 1.1 },
      },
      {
        what: 'beside four layer parts ÷ alone',
        value: (beside ?? NaN) / (alone ?? NaN),
        goal: { atMost: 2 },
      },
    ],
    notes: [
      'one connection, 2 ms between an answer and the next request; the rules were made over the ECR API',
      `layer parts of ${partBytes / 2 ** 20} MiB by UploadLayerPart, four at once, one after another; ${sent} sent meanwhile`,
    ],
  };
}

async function createRules(bench: Bench, system: System): Promise<void> {
  const keys = administratorKeys(bench.folder('latency-ruled'));
  for (let index = 0; index < rules; index += 1)
    await callEcr(system, keys, 'CreatePullThroughCacheRule', {
      ecrRepositoryPrefix: `bench-rule-${index}`,
      upstreamRegistryUrl: 'public.ecr.aws',
    });
}
