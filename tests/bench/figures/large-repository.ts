import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { administratorKeys, administratorOf } from '../administrator.ts';
import type { KeyPair } from '../administrator.ts';
import { callEcr } from '../aws-call.ts';
import { alternate, reading } from '../figure.ts';
import type { Bench, Figure, Reading, Row } from '../figure.ts';
import { fillImages } from '../filled-store.ts';
import { pushImage } from '../push.ts';
import { syntheticBlob, syntheticImage } from '../synthetic-image.ts';
import type { SyntheticImage } from '../synthetic-image.ts';
import type { System } from '../systems/system.ts';
import { imagePaths, pullWhole, settle } from './cold-blob.ts';
import { latencyOf } from './manifest-latency.ts';

const repository = 'bench/images';
const listed = { repositoryName: repository };

/** Pages, lists and lifecycle previews of a repository of very many images, over the ECR API. */
export const largeRepository: Figure = {
  name: 'images',
  async measure(bench) {
    const images = bench.quick ? 10_000 : 100_000;
    const { system, keys, warm } = await startFilled(bench, images);
    const of = images.toLocaleString('en-US');
    const pages = await alternate(bench.latencyRuns, [
      { name: 'DescribeImages', measure: pagesOf(system, keys) },
    ]);
    const lists = await alternate(bench.runs, [
      { name: 'ListImages', measure: () => listAll(system, keys, images) },
    ]);
    const previews = await previewed(bench, system, keys, warm);
    await system.stop();
    const single = (
      title: string,
      unit: string,
      readings: readonly Reading[],
      goal: number,
    ): Row => ({
      title,
      unit,
      readings,
      ratios: [{ what: 'breakwater', value: readings[0]?.median ?? NaN, goal: { atMost: goal } }],
      notes: [],
    });
    return [
      single(`DescribeImages, a page of 100 of ${of} images`, 'ms', pages, 20),
      single(`ListImages to the end of ${of} images`, 's', lists, 3),
      single(`Lifecycle preview, 50 rules over ${of} images`, 's', previews.seconds, 2),
      previews.beside,
    ];
  },
};

async function startFilled(
  bench: Bench,
  images: number,
): Promise<{ readonly system: System; readonly keys: KeyPair; readonly warm: SyntheticImage }> {
  const folder = bench.folder('images');
  const first = await bench.startBreakwater('images');
  const path = (name: string, rest: string): string => `/v2/${name}/${rest}`;
  const image = syntheticImage(repository, 'latest', [syntheticBlob('images', 10_000)]);
  await pushImage({ ...first, path, authorization: administratorOf(folder) }, image);
  const warm = await bench.upstream.publish({
    repository: 'bench/latency',
    tag: 'latest',
    layers: [{ seed: 'latency', size: 10_000 }],
  });
  await pullWhole(bench, first, imagePaths(first, warm));
  await settle(first);
  await first.stop();
  fillImages(join(folder, 'data'), image, images);
  return { system: await bench.startBreakwater('images'), keys: administratorKeys(folder), warm };
}

/** The next page each time, in ms. */
function pagesOf(system: System, keys: KeyPair): () => Promise<number> {
  let nextToken: unknown;
  return async () => {
    const begun = performance.now();
    const page = await callEcr(system, keys, 'DescribeImages', {
      ...listed,
      maxResults: 100,
      nextToken,
    });
    const milliseconds = performance.now() - begun;
    if ((page['imageDetails'] as readonly unknown[]).length !== 100)
      throw new Error('not a whole page');
    nextToken = page['nextToken'];
    return milliseconds;
  };
}

async function listAll(system: System, keys: KeyPair, images: number): Promise<number> {
  const begun = performance.now();
  let found = 0;
  let nextToken: unknown;
  do {
    const page = await callEcr(system, keys, 'ListImages', {
      ...listed,
      maxResults: 1000,
      nextToken,
    });
    found += (page['imageIds'] as readonly unknown[]).length;
    nextToken = page['nextToken'];
  } while (nextToken !== undefined);
  if (found < images) throw new Error(`${found} images of ${images}`);
  return (performance.now() - begun) / 1000;
}

async function previewed(
  bench: Bench,
  system: System,
  keys: KeyPair,
  warm: SyntheticImage,
): Promise<{ readonly seconds: readonly Reading[]; readonly beside: Row }> {
  const alone: number[] = [];
  const beside: number[] = [];
  const seconds: number[] = [];
  await preview(system, keys);
  for (let run = 0; run < bench.runs; run += 1) {
    alone.push(await latencyOf(bench, system, warm));
    seconds.push(await preview(system, keys));
    const previews = repeat(() => preview(system, keys));
    beside.push(await latencyOf(bench, system, warm));
    await previews.stop();
  }
  const readings = [reading('alone', alone), reading('beside previews', beside)];
  const [before, during] = readings.map(({ median }) => median);
  return {
    seconds: [reading('breakwater', seconds)],
    beside: {
      title: 'Warm manifest by tag beside previews, p99 of 1,000 requests',
      unit: 'ms',
      readings,
      ratios: [
        {
          what: 'beside previews ÷ alone',
          value: (during ?? NaN) / (before ?? NaN),
          goal: { atMost: 2 },
        },
      ],
      notes: [
        'one connection, 2 ms between an answer and the next request; one preview after another meanwhile',
      ],
    },
  };
}

/** Again and again until it is stopped. */
function repeat(work: () => Promise<unknown>): { stop(): Promise<void> } {
  let stopped = false;
  const ended = (async () => {
    while (!stopped) await work();
  })();
  return {
    async stop() {
      stopped = true;
      await ended;
    },
  };
}

/** Seconds from the request to the answer that it is complete. */
async function preview(system: System, keys: KeyPair): Promise<number> {
  const begun = performance.now();
  await callEcr(system, keys, 'StartLifecyclePolicyPreview', {
    ...listed,
    lifecyclePolicyText: policy,
  });
  for (;;) {
    const { status } = await callEcr(system, keys, 'GetLifecyclePolicyPreview', {
      ...listed,
      maxResults: 1,
    });
    if (status === 'COMPLETE') return (performance.now() - begun) / 1000;
    if (status !== 'IN_PROGRESS') throw new Error(`the preview is ${String(status)}`);
    await delay(20);
  }
}

/** Fifty rules, of which each chooses among a part of the tags. */
const policy = JSON.stringify({
  rules: Array.from({ length: 50 }, (_, index) => ({
    rulePriority: index + 1,
    description: `of t${String(index).padStart(3, '0')}`,
    selection: {
      tagStatus: 'tagged',
      tagPatternList: [`t${String(index * 2).padStart(3, '0')}*`],
      countType: index % 2 === 0 ? 'imageCountMoreThan' : 'sinceImagePushed',
      ...(index % 2 === 0 ? {} : { countUnit: 'days' }),
      countNumber: index + 1,
    },
    action: { type: 'expire' },
  })),
});
