// What a server could not do is in its log, with whom it could not do it for and why, and the command that failed for it says it too.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { createTestAuthority } from '../support/samples/certificates.ts';
import { startProcess } from '../support/processes/process.ts';
import { until } from '../support/rigs/until.ts';
import { setTlsScene } from '../support/processes/tls-scene.ts';
import { findTools, runCommand } from '../support/tools/tools.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** The lines of a log that are no requests. */
function eventsOf(log: string): readonly Readonly<Record<string, unknown>>[] {
  return log
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
    .filter(({ kind }) => kind !== 'access');
}

test('Clients that TLS fails for are in the log; curl over plain HTTP is told what to do.', async (t) => {
  const scene = await setTlsScene(t, ['curl']);
  if (scene === undefined) return;
  const { host } = scene.breakwater;
  const plain = await scene.attempt('curl', ['-s', `http://${host}/v2/`]);
  assert.match(plain.stdout, /this port speaks TLS: .*begin the address with https:\/\//);
  const stranger = join(scene.folder, 'stranger.pem');
  await writeFile(stranger, (await createTestAuthority()).ca);
  const untrusting = await scene.attempt('curl', [
    '-s',
    '--cacert',
    stranger,
    `https://${host}/v2/`,
  ]);
  assert.notEqual(untrusting.code, 0);
  const told = await until(() => {
    const found = eventsOf(scene.breakwater.logs()).filter(({ logger }) => logger === 'http');
    return found.length >= 2 && found;
  }, 'both are told');
  assert.deepEqual(
    told.map(({ level, client, setting }) => [level, client, setting]),
    [
      ['warn', '127.0.0.1', 'listen'],
      ['warn', '127.0.0.1', 'listen'],
    ],
  );
  assert.match(String(told[0]?.['msg']), /sent plain HTTP to the TLS port/);
  assert.match(String(told[1]?.['msg']), /does not accept the certificate/);
});

test('A volume that is full is said by the log and by the command.', async (t) => {
  const found = await findTools('unshare', 'nsenter', 'bash');
  if ('missing' in found) return t.skip(found.missing);
  if (process.getuid?.() !== 0) return t.skip('needs root, to mount a small volume');
  const folder = await mkdtemp(join(tmpdir(), 'breakwater-full-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const volume = join(folder, 'volume');
  await mkdir(volume);
  const config = {
    listen: '127.0.0.1:0',
    adminListen: '127.0.0.1:0',
    defaultRules: false,
    dataDir: join(volume, 'data'),
  };
  await writeFile(join(folder, 'breakwater.yaml'), JSON.stringify(config));
  const script = 'mount -t tmpfs -o size=24m tmpfs volume && exec "$@"';
  const sandbox = ['-m', '--propagation', 'private', found.paths.bash, '-c', script, 'bash'];
  const server = startProcess(
    found.paths.unshare,
    [...sandbox, process.execPath, main, 'serve', '--config', 'breakwater.yaml'],
    { cwd: folder, env: { NODE_TEST_CONTEXT: '' } },
  );
  t.after(() => server.stop());
  await server.waitFor(/"msg":"serving"/, 30_000);
  const inside = async (...command: string[]): ReturnType<typeof runCommand> =>
    await runCommand(found.paths.nsenter, ['-t', `${server.child.pid}`, '-m', ...command], {
      env: { NODE_TEST_CONTEXT: '' },
    });
  const fill = await inside(found.paths.bash, '-c', `dd if=/dev/zero of=${volume}/fill bs=4k`);
  assert.notEqual(fill.code, 0);
  const words = [main, 'user', 'create', 'ann', '--data-dir', config.dataDir];
  const { code, stderr } = await inside(process.execPath, ...words);
  assert.equal(code, 1);
  assert.equal(stderr, 'error: the storage is full\nhint: make room on the volume of dataDir\n');
  await until(
    () =>
      eventsOf(server.output()).some(
        ({ level, error }) => level === 'error' && /database or disk is full/.test(String(error)),
      ),
    'the log says it',
  );
});
