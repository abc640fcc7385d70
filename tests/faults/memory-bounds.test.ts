import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { test } from 'node:test';

const child = fileURLToPath(new URL('memory-child.ts', import.meta.url));

test('distinct subjects, tag lists and unknown names do not fill a heap of 192 MiB', async () => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--max-old-space-size=192', child],
    { timeout: 300_000 },
  );
  const { listed } = JSON.parse(stdout) as { readonly listed: number };
  assert.equal(listed, 120 * 2000 + 120 * 100);
});
