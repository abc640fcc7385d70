// What nodes generate writes for containerd, read by a real one: as a node it pulls through its CRI, with a key, over TLS of an own CA.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { commandLine } from '../support/processes/command-line.ts';
import { startCri } from '../support/processes/cri.ts';
import { enterSandbox, ownSettings, prepareSandbox } from '../support/processes/sandbox.ts';
import { setTlsScene } from '../support/processes/tls-scene.ts';

const skip = enterSandbox();
if (skip === undefined) {
  prepareSandbox();
  ownSettings();
}

const certs = '/etc/containerd/certs.d';
const busybox = 'docker.io/library/busybox:1.36';
const hello = 'docker.io/library/hello:1';

test(
  'containerd pulls by what nodes generate writes, with the key of a robot, by ns and by path; without the fallback it asks nobody else.',
  { skip },
  async (t) => {
    const s = await setTlsScene(t, ['ctr'], { settings: { anonymousImport: false } });
    if (s === undefined) return;
    const run = commandLine(s.breakwater);
    const generate = (...more: readonly string[]): Promise<string> => {
      const host = ['--registry-host', s.breakwater.host, '--force', '--ca', s.caFile];
      return run.print('nodes', 'generate', 'containerd', ...host, '--out', '/', ...more);
    };

    // Without a key containerd would go to the upstream without a word; the command doesn't.
    const keyless = ['--registry-host', s.breakwater.host, '--force'];
    const stopped = await run.run('nodes', 'generate', 'containerd', ...keyless);
    assert.equal(stopped.code, 6);
    assert.match(stopped.stderr, /cause: not held, and anonymousImport is false/);

    await generate('--robot', 'nodes');
    const hosts = await readFile(join(certs, 'docker.io', 'hosts.toml'), 'utf8');
    const imports = '/etc/containerd/conf.d/*.toml';
    const cri = await startCri(t, { imports, subnet: '10.98.0.0/24' });
    if (cri === undefined) return;
    await cri.crictl('pull', busybox);
    await s.breakwater.untilLogged(
      /"ns":"docker\.io".*"status":200.*"principal":"arn:aws:iam::000000000000:user\/nodes"/,
    );

    // By an image's name here the same CA is known, and no key is shown.
    await cri.crictl('pull', `${s.breakwater.host}/${busybox}`);

    // The key of the files as they are, for the other forms.
    const [, pair = ''] = /"Basic (\S+)"/.exec(hosts) ?? [];
    const keyFile = join(s.folder, 'nodes.key');
    await writeFile(keyFile, Buffer.from(pair, 'base64').toString('utf8'));
    const keyed = ['--key-file', keyFile, '--replace'];
    assert.equal((await run.run(...check(s, keyFile))).code, 0);

    const asked = s.front.count();
    // No packet leaves the sandbox: what is pulled came through the registry.
    await generate(...keyed, '--path-style');
    await cri.crictl('rmi', '--all');
    await cri.crictl('pull', busybox);
    assert.equal(s.front.count(), asked, 'it is the same repository');

    await generate(...keyed, '--no-fallback');
    await cri.crictl('pull', hello);
    await cri.crictl('rmi', '--all');
    await cri.crictl('pull', hello);

    // What the registry has no answer for: with the fallback Docker Hub is asked.
    const asksHub = await watchDockerHub(t);
    const missing = 'docker.io/library/none:1';
    assert.notEqual((await cri.try('pull', missing)).code, 0);
    assert.equal(asksHub(), 0);
    await generate(...keyed);
    assert.notEqual((await cri.try('pull', missing)).code, 0);
    assert.ok(asksHub() > 0);
  },
);

/** Stands where Docker Hub is, in the sandbox; answers how often it was dialled. */
async function watchDockerHub(t: TestContext): Promise<() => number> {
  await appendFile('/etc/hosts', '127.0.0.1 registry-1.docker.io\n');
  let dialled = 0;
  const server = createServer((socket) => {
    dialled += 1;
    socket.destroy();
  });
  server.listen(443, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return () => dialled;
}

function check(
  {
    breakwater,
    caFile,
  }: { readonly breakwater: { readonly host: string }; readonly caFile: string },
  keyFile: string,
): readonly string[] {
  const host = ['--registry-host', breakwater.host, '--force', '--ca', caFile];
  return [
    'nodes',
    'generate',
    'containerd',
    ...host,
    '--key-file',
    keyFile,
    '--out',
    '/',
    '--check',
  ];
}
