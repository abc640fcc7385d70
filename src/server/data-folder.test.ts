import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { openDataFolder } from './data-folder.ts';

const folder = mkdtempSync(join(tmpdir(), 'breakwater-folder-'));
after(() => rmSync(folder, { recursive: true }));

test('a folder is made with those above it, closed to others, and given back', async () => {
  const dataDir = join(folder, 'a', 'b');
  for (let round = 0; round < 2; round += 1) {
    await using opened = await openDataFolder(dataDir);
    await opened.writeRunRecord({ pid: 7, listen: 'http://x:1', adminListen: 'http://x:2' });
    await assert.rejects(openDataFolder(dataDir), {
      message: `dataDir ${dataDir} is in use by another server (pid 7, http://x:1); stop it or choose another dataDir`,
    });
  }
});

for (const [name, path, message] of [
  [
    'a file',
    () => (writeFileSync(join(folder, 'file'), ''), join(folder, 'file')),
    /it is no folder$/,
  ],
  ['below a file', () => join(folder, 'file', 'data'), /it is no folder$/],
  [
    'in a place that takes none',
    () => '/proc/breakwater',
    /cannot be used: ENOENT.*'\/proc\/breakwater'/,
  ],
] as const)
  test(`${name} cannot be a data folder`, async () => {
    await assert.rejects(openDataFolder(path()), { message });
  });

suite('somebody else', { skip: process.getuid?.() === 0 ? false : 'needs root' }, () => {
  const stranger = 65_534;
  /** What the user `nobody` is told. */
  async function ask(words: readonly string[], cwd: string): Promise<string> {
    const child = spawn(process.execPath, [join(import.meta.dirname, '../main.ts'), ...words], {
      uid: stranger,
      gid: stranger,
      cwd,
      env: { HOME: '/', PATH: process.env['PATH'] },
    });
    let told = '';
    child.stdout.on('data', (chunk: Buffer) => (told += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
    await once(child, 'close');
    return told;
  }

  for (const [name, make, words, message] of [
    [
      'a folder of root, served by another',
      (data) => mkdirSync(data, { mode: 0o700 }),
      ['serve'],
      /dataDir (\S+\/data) cannot be used: \1 belongs to root \(mode 0700\), and this is nobody; run this as root, give it away \(chown -R nobody \1\), or choose another dataDir/,
    ],
    [
      'a folder in one of root',
      (data) => mkdirSync(data, { mode: 0o755 }),
      ['serve'],
      /belongs to root \(mode 0755\), and this is nobody; run this as root/,
    ],
    [
      'a file in the own folder that a start as root left',
      (data) => {
        mkdirSync(data, { mode: 0o700 });
        chownSync(data, stranger, stranger);
        writeFileSync(join(data, 'metadata.sqlite'), '', { mode: 0o600 });
      },
      ['serve'],
      /dataDir (\S+\/data) cannot be used: \1\/metadata\.sqlite belongs to root \(mode 0600\), and this is nobody; run this as root, give it away \(chown -R nobody \1\)/,
    ],
    [
      'a folder of root, asked by another',
      (data) => mkdirSync(data, { mode: 0o700 }),
      ['whoami'],
      /^error: (\S+\/data)\/run\.json cannot be read\ncause: \1 belongs to root \(mode 0700\), and this is nobody\nhint: run the command as root \(sudo -u root breakwater …\), or ask with a token/,
    ],
    [
      'a folder of their own that they closed',
      (data) => {
        mkdirSync(data, { mode: 0o000 });
        chownSync(data, stranger, stranger);
      },
      ['whoami'],
      /belongs to nobody \(mode 0000\), and this is nobody\nhint: open it: chmod u\+rwX/,
    ],
  ] as const satisfies readonly (readonly [string, (data: string) => void, string[], RegExp])[])
    test(`${name}: path, owner and fix are named`, async () => {
      const home = mkdtempSync(join(folder, 'home-'));
      chmodSync(folder, 0o755);
      chmodSync(home, 0o755);
      make(join(home, 'data'));
      writeFileSync(
        join(home, 'breakwater.yaml'),
        'listen: 127.0.0.1:0\nadminListen: 127.0.0.1:0\ndefaultRules: false\ndataDir: data\n',
      );
      assert.match(await ask([...words, '--config', 'breakwater.yaml'], home), message);
    });
});
