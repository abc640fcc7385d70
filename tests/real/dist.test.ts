// What ships is dist/: an image is pulled through a fresh build of it.
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from '../../scripts/build.ts';
import { pullImage } from '../support/clients/pull.ts';
import { setScene } from '../support/processes/scene.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

test('An image is pulled through dist/, and served again with the upstream down.', async (t) => {
  // Where packages are found, and where no other test looks.
  const folder = await mkdtemp(join(root, 'node_modules', '.breakwater-dist-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const outDir = join(folder, 'dist');
  build(outDir);
  // It ships beside dist/: the version is read from it.
  await copyFile(join(root, 'package.json'), join(folder, 'package.json'));
  const s = await setScene(t, { entry: join(outDir, 'breakwater.mjs') });
  if (s === undefined) return;
  const { repository, tag, digest } = s.image('big');
  const pulled = await pullImage(s.breakwater.url, `docker.io/${repository}`, tag);
  assert.equal(pulled.digest, digest);
  await s.front.down();
  await s.breakwater.restart();
  assert.deepEqual(await pullImage(s.breakwater.url, `docker.io/${repository}`, tag), pulled);
});
