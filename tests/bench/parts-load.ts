import { randomBytes } from 'node:crypto';
import { callEcr } from './aws-call.ts';
import type { PartsJob } from './parts-job.ts';

const repositoryName = 'bench/parts';

/** Started by `parts-job.ts` on the load's core; a line once a part was sent, their number at SIGTERM. */
async function push(job: PartsJob): Promise<void> {
  let sent = 0;
  process.on('SIGTERM', () => {
    process.stdout.write(`${sent}\n`, () => process.exit(0));
  });
  await callEcr(job, job.keys, 'CreateRepository', { repositoryName });
  const layerPartBlob = randomBytes(job.partBytes).toString('base64');
  const pushAgain = async (): Promise<never> => {
    for (;;) {
      const { uploadId } = await callEcr(job, job.keys, 'InitiateLayerUpload', { repositoryName });
      await callEcr(job, job.keys, 'UploadLayerPart', {
        repositoryName,
        uploadId,
        partFirstByte: 0,
        partLastByte: job.partBytes - 1,
        layerPartBlob,
      });
      sent += 1;
      if (sent === 1) process.stdout.write('sending\n');
    }
  };
  await Promise.all(Array.from({ length: job.parts }, pushAgain));
}

await push(JSON.parse(process.argv[2] ?? '') as PartsJob);
