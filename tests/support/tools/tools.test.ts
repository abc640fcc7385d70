import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeRunFolder } from '../processes/run-folder.ts';
import { buildsEndKey, bundles } from './tool-builds.ts';
import { findTool, withLock } from './tools.ts';

test('Nothing is built once the time for building is over, nor waited for: the tool is missing.', async (t) => {
  const folder = await makeRunFolder('tools');
  t.after(() => {
    delete process.env['BREAKWATER_TOOLS'];
    delete process.env[buildsEndKey];
  });
  process.env['BREAKWATER_TOOLS'] = folder;

  process.env[buildsEndKey] = String(Date.now() - 1);
  assert.deepEqual(await findTool('crane'), {
    missing: 'crane is not built, and the time for building is over',
  });
  assert.deepEqual(await readdir(folder), []);

  process.env[buildsEndKey] = String(Date.now() + 300);
  await withLock(`crane-${bundles.crane.version}`, async () => {
    assert.deepEqual(await findTool('crane'), {
      missing: 'crane is not built, and the time for building is over',
    });
  });
});

test('A build removes what a killed one of the same version left, and nothing else.', async (t) => {
  const path = process.env['PATH'] ?? '';
  const folder = await makeRunFolder('tools');
  const programs = await makeRunFolder('programs');
  t.after(() => {
    delete process.env['BREAKWATER_TOOLS'];
    process.env['PATH'] = path;
  });
  process.env['BREAKWATER_TOOLS'] = folder;
  process.env['PATH'] = `${programs}:${path}`;
  const script = '#!/bin/sh\necho no network >&2\nexit 1\n';
  await writeFile(join(programs, 'go'), script, { mode: 0o755 });
  const id = `crane-${bundles.crane.version}`;
  for (const name of [`${id}.building-abc`, `${id}.building-abc.module-def`, `${id}9.building-g`])
    await mkdir(join(folder, name));
  assert.deepEqual(await findTool('crane'), { missing: `${id} could not be built: no network` });
  assert.deepEqual((await readdir(folder)).toSorted(), [`${id}.failed`, `${id}9.building-g`]);
});
