// The commands of docs/operations.md, "Backup", run against a server that is being pushed to; and what a start makes of the copy.
import assert from 'node:assert/strict';
import { cp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { RegistryClient } from '../support/clients/registry-client.ts';
import { startRegistryClient } from '../support/clients/registry-client.ts';
import { findTools, runCommand } from '../support/tools/tools.ts';
import { digestOf } from '../support/samples/digest.ts';

const page = fileURLToPath(new URL('../../docs/operations.md', import.meta.url));
const repository = 'team/app';
const found = await findTools('bash', 'sqlite3');
const skip = 'missing' in found ? found.missing : false;

/** Pushes image after image until it is told to end; answers the tags that were acknowledged. */
function pushAlong(client: RegistryClient): {
  readonly tags: readonly string[];
  end(): Promise<void>;
} {
  const tags: string[] = [];
  let ended = false;
  const push = async (): Promise<void> => {
    while (!ended) {
      const reference = `t${tags.length}`;
      await client.pushManifest(repository, await client.image(repository), { reference });
      tags.push(reference);
    }
  };
  const running = push();
  return {
    tags,
    end: async () => {
      ended = true;
      await running;
    },
  };
}

/** Every tag with all that its manifest names, byte for byte. */
async function pulledWhole(client: RegistryClient): Promise<readonly string[]> {
  const list = await client.ask('GET', `/v2/${repository}/tags/list`);
  const { tags } = JSON.parse(list.text) as { readonly tags: readonly string[] };
  for (const tag of tags) {
    const manifest = await client.ask('GET', `/v2/${repository}/manifests/${tag}`);
    assert.equal(manifest.status, 200, tag);
    const { config, layers } = JSON.parse(manifest.text) as {
      readonly config: { readonly digest: string };
      readonly layers: readonly { readonly digest: string }[];
    };
    for (const { digest } of [config, ...layers]) {
      const blob = await client.ask('GET', `/v2/${repository}/blobs/${digest}`);
      assert.equal(blob.status, 200, `${tag} ${digest}`);
      assert.equal(digestOf(blob.bytes), digest);
    }
  }
  return tags;
}

test(
  'A backup that was taken while images were pushed holds all that was acknowledged before it, whole.',
  { skip },
  async () => {
    if ('missing' in found) return;
    await using client = await startRegistryClient();
    const { dataDir } = client.breakwater;
    const folder = dirname(dataDir);
    const backup = join(folder, 'backup');
    const pushing = pushAlong(client);
    while (pushing.tags.length < 5) await client.ask('GET', '/v2/');
    const before = [...pushing.tags];

    const text = await readFile(page, 'utf8');
    const shown = /^## Backup\n[^]*?^```sh\n([^]*?)^```$/m.exec(text)?.[1] ?? '';
    assert.match(shown, /sqlite3 .*\.backup/);
    const script = shown
      .replaceAll('/var/lib/breakwater', dataDir)
      .replaceAll('/backup/breakwater', backup);
    const file = join(folder, 'backup.sh');
    await writeFile(file, `set -eu\n${script}`);
    // Twice: the second adds what is new.
    for (let times = 0; times < 2; times += 1) {
      const { code, stdout, stderr } = await runCommand(found.paths.bash, [file], {
        env: { PATH: `${dirname(found.paths.sqlite3)}:/usr/bin:/bin` },
      });
      assert.equal(code, 0, `${stdout}\n${stderr}`);
    }
    await pushing.end();
    assert.deepEqual((await readdir(backup)).toSorted(), [
      'blobs',
      'credentials',
      'keys',
      'metadata.sqlite',
    ]);

    await client.breakwater.stop();
    await rm(dataDir, { recursive: true });
    await cp(backup, dataDir, { recursive: true });
    await client.breakwater.restart();
    const tags = await pulledWhole(client);
    assert.deepEqual(
      before.filter((tag) => !tags.includes(tag)),
      [],
    );
  },
);

test('A data folder names no path of its own, and a copy of it is served.', async () => {
  await using client = await startRegistryClient();
  const { breakwater } = client;
  await client.pushManifest(repository, await client.image(repository), { reference: 'one' });
  await breakwater.stop();
  const moved = join(dirname(breakwater.dataDir), 'moved');
  await cp(breakwater.dataDir, moved, { recursive: true });
  await rm(breakwater.dataDir, { recursive: true });
  for (const name of await readdir(moved, { recursive: true, withFileTypes: true })) {
    if (!name.isFile() || name.parentPath.includes('blobs')) continue;
    const bytes = await readFile(join(name.parentPath, name.name));
    assert.ok(!bytes.includes(breakwater.dataDir), `${name.name} names the folder`);
  }
  await rename(moved, breakwater.dataDir);
  await breakwater.restart();
  assert.deepEqual(await pulledWhole(client), ['one']);
});
