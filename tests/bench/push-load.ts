import { Agent } from 'node:http';
import type { Push, PushJob, PushResult } from './load-job.ts';
import { pushBlob, pushBlobInChunks, pushImage, requireAbsent } from './push.ts';
import type { PushTarget } from './push.ts';
import { syntheticBlob, syntheticImage } from './synthetic-image.ts';
import type { SyntheticImage } from './synthetic-image.ts';

const chunkBytes = 16 * 1024 * 1024;

async function pushAll(job: PushJob): Promise<PushResult> {
  const images = job.pushes.map((push) => ({ push, image: imageOf(push) }));
  const begun = performance.now();
  await Promise.all(images.map(({ push, image }) => pushOne(job, push, image)));
  return { seconds: (performance.now() - begun) / 1000 };
}

function imageOf({ repository, tag, layers }: Push): SyntheticImage {
  const blobs = layers.map(({ seed, size }) => syntheticBlob(seed, size));
  return syntheticImage(repository, tag, blobs);
}

async function pushOne(job: PushJob, push: Push, image: SyntheticImage): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { host, port, authorization } = job;
  const target: PushTarget = {
    name: 'push',
    host,
    port,
    agent,
    path: (repository, rest) => `/v2/${repository}/${rest}`,
    ...(authorization !== undefined && { authorization }),
  };
  const blobs = push.only === undefined ? [image.config, ...image.layers] : image.layers;
  for (const blob of blobs) await requireAbsent(target, image.repository, blob);
  const [first] = image.layers;
  if (first === undefined) throw new Error('an image without a layer');
  if (push.only === 'blob') await pushBlob(target, image.repository, first);
  else if (push.only === 'chunked blob')
    await pushBlobInChunks(target, image.repository, first, chunkBytes);
  else await pushImage(target, image);
  agent.destroy();
}

// Started by `load-job.ts` on the load's core.
const result = await pushAll(JSON.parse(process.argv[2] ?? '') as PushJob);
process.stdout.write(`${JSON.stringify(result)}\n`);
