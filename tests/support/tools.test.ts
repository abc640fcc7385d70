import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { makeRunFolder } from './run-folder.ts';
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
