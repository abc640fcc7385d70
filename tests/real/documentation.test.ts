// The commands that docs/access.md shows, as they stand there, one after the other against a server.
import assert from 'node:assert/strict';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startRegistryClient } from '../support/clients/registry-client.ts';
import { findTools, runCommand } from '../support/tools/tools.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

test('Every command of docs/access.md does what it is shown for.', async (t) => {
  const found = await findTools('bash', 'curl');
  if ('missing' in found) return t.skip(found.missing);
  const page = await readFile(join(root, 'docs', 'access.md'), 'utf8');
  const shown = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = '']) => text);
  assert.ok(shown.length >= 4);
  await using client = await startRegistryClient();
  await client.pushManifest('team/app', await client.image('team/app'), { reference: 'v1' });
  const folder = dirname(client.breakwater.configFile);
  await symlink(join(root, 'examples'), join(folder, 'examples'));
  const command = `breakwater() { "${process.execPath}" "${join(root, 'bin', 'breakwater.mjs')}" "$@"; }`;
  // Each block is read in a shell of its own, as by a reader who goes on another day; the token's is there from then on.
  const token = 'if [ -s token ]; then here=$(cat token); fi';
  let output = '';
  for (const text of shown) {
    const script = text.replaceAll('https://registry.example.com', client.breakwater.url);
    const needsToken = text.includes('BREAKWATER_TOKEN');
    const set = needsToken ? 'export BREAKWATER_TOKEN="$here"' : '';
    const file = join(folder, 'block.sh');
    await writeFile(file, ['set -eu', command, token, set, script].join('\n'));
    const { code, stdout, stderr } = await runCommand(found.paths.bash, [file], {
      cwd: folder,
      env: { BREAKWATER_TOKEN: '', DOCKER_CONFIG: join(folder, 'docker') },
    });
    assert.equal(code, 0, `${text}\n${stdout}\n${stderr}`);
    output += stdout;
  }
  assert.match(output, /user\/ci/);
  assert.match(output, /^team\/app /m);
  assert.match(output, /"openapi":/);
  const login = await readFile(join(folder, 'docker', 'config.json'), 'utf8');
  assert.ok(login.includes(client.breakwater.host));
  // What the page sets for ann holds.
  const key = /^(AKIA\S+) +(\S+) +ann$/m.exec(output);
  assert.ok(key, output);
  const pair = Buffer.from(`${key[1] ?? ''}:${key[2] ?? ''}`).toString('base64');
  const pulled = await client.ask('GET', '/v2/team/app/manifests/v1', {
    headers: { Authorization: `Basic ${pair}` },
  });
  assert.equal(pulled.status, 200, pulled.text);
});
