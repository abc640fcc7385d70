import { join } from 'node:path';
import { alternate } from '../figure.ts';
import type { Figure, Row } from '../figure.ts';
import { fillStore } from '../filled-store.ts';
import { accept } from '../client-accept.ts';
import { imagePaths, pullWhole, settle } from './cold-blob.ts';

/** From the start of the process to the last byte of the first manifest, with a million of them in the store. */
export const millionManifests: Figure = {
  name: 'start',
  async measure(bench) {
    const manifests = bench.quick ? 100_000 : 1_000_000;
    const image = await bench.upstream.publish({
      repository: 'bench/start',
      tag: 'latest',
      layers: [{ seed: 'start', size: 10_000 }],
    });
    const folder = bench.folder('start');
    const start = () => bench.startBreakwater('start');
    const first = await start();
    await pullWhole(bench, first, imagePaths(first, image));
    await settle(first);
    await first.stop();
    const bytes = fillStore(join(folder, 'data'), image, manifests);
    bench.say(`start: filled the store with ${manifests} manifests`);
    const readings = await alternate(bench.runs, [
      {
        name: 'breakwater',
        async measure() {
          const begun = performance.now();
          const system = await start();
          const path = system.path(image.repository, `manifests/${image.tag}`);
          const response = await fetch(`http://${system.host}:${system.port}${path}`, {
            headers: { accept },
            signal: AbortSignal.timeout(60_000),
          });
          const body = Buffer.from(await response.arrayBuffer());
          const seconds = (performance.now() - begun) / 1000;
          await system.stop();
          if (!body.equals(image.manifest)) throw new Error('not the manifest asked for');
          return seconds;
        },
      },
    ]);
    const row: Row = {
      title: `Start to first pull served, ${manifests.toLocaleString('en-US')} manifests stored`,
      unit: 's',
      readings,
      ratios: [{ what: 'breakwater', value: readings[0]?.median ?? NaN, goal: { atMost: 2 } }],
      notes: [`a database of ${(bytes / 1e9).toFixed(1)} GB, in the page cache`],
    };
    return [row];
  },
};
