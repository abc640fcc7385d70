// What nodes generate writes for podman's and Docker's families, read by skopeo, Docker 29 and BuildKit.
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { commandLine } from '../support/processes/command-line.ts';
import { dockerKinds, programFolder, startDocker } from '../support/processes/docker.ts';
import { startProcess } from '../support/processes/process.ts';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import {
  enterSandbox,
  ownSettings,
  prepareSandbox,
  sandboxName,
  unmountBelow,
} from '../support/processes/sandbox.ts';
import { setScene } from '../support/processes/scene.ts';
import { setTlsScene } from '../support/processes/tls-scene.ts';
import type { CommandResult } from '../support/tools/tools.ts';
import { runCommand } from '../support/tools/tools.ts';

const skip = enterSandbox();
if (skip === undefined) {
  prepareSandbox();
  ownSettings();
}

const busybox = 'docker.io/library/busybox:1.36';

test(
  'skopeo pulls by what is written for podman, with the key of a robot; without the fallback too.',
  { skip },
  async (t) => {
    const s = await setTlsScene(t, ['skopeo'], { settings: { anonymousImport: false } });
    if (s === undefined) return;
    const run = commandLine(s.breakwater);
    const generate = (...more: readonly string[]): Promise<string> => {
      const host = ['--registry-host', s.breakwater.host, '--force', '--ca', s.caFile];
      return run.print('nodes', 'generate', 'podman', ...host, '--out', '/', ...more);
    };
    // Nothing but the files says what is asked: no --registries-conf, no CA of the environment.
    const authFile = '/etc/containers/breakwater-auth.json';
    let copies = 0;
    const copy = async (image: string): Promise<CommandResult> => {
      const to = `dir:${join(s.folder, `copy-${copies++}`)}`;
      const args = ['--insecure-policy', 'copy', `docker://${image}`, to];
      const env = { HOME: s.folder, REGISTRY_AUTH_FILE: authFile };
      return await runCommand(s.paths.skopeo, args, { env });
    };
    const copied = async (image: string): Promise<void> => {
      const { code, stderr } = await copy(image);
      assert.equal(code, 0, stderr);
    };

    await generate('--robot', 'nodes');
    await copied(busybox);
    await s.breakwater.untilLogged(
      /"repo":"docker\.io\/library\/busybox".*"principal":"arn:aws:iam::000000000000:user\/nodes"/,
    );
    const auths = JSON.parse(await readFile(authFile, 'utf8')) as {
      readonly auths: Readonly<Record<string, { readonly auth: string }>>;
    };
    const keyFile = join(s.folder, 'nodes.key');
    const [{ auth } = { auth: '' }] = Object.values(auths.auths);
    await writeFile(keyFile, Buffer.from(auth, 'base64').toString('utf8'));

    await generate('--key-file', keyFile, '--no-fallback', '--replace');
    await copied('docker.io/library/hello:1');
    const { stderr } = await copy('docker.io/library/none:1');
    assert.match(stderr, /127\.0\.0\.1/);
    assert.doesNotMatch(stderr, /registry-1\.docker\.io/);
    await generate('--key-file', keyFile, '--replace');
    assert.match((await copy('docker.io/library/none:1')).stderr, /registry-1\.docker\.io/);
  },
);

test('Docker 29 pulls Docker Hub’s images by what is written for it.', { skip }, async (t) => {
  const s = await setScene(t, { hubMirror: true, settings: { anonymousImport: true } });
  const [, kind] = dockerKinds;
  if (s === undefined || kind === undefined) return;
  if (s.corpus.origin !== 'debian') return t.skip('the images hold no programs that run');
  const host = ['--registry-host', s.breakwater.host, '--force', '--plain-http'];
  const mirror = ['--hub-mirror', s.breakwater.hubMirrorUrl ?? ''];
  const folder = await makeRunFolder('nodes');
  t.after(() => removeRunFolder(folder));
  const out = ['--out', folder];
  const run = commandLine(s.breakwater);
  await run.print('nodes', 'generate', 'docker', ...host, ...mirror, ...out);
  const written = await readFile(join(folder, 'etc/docker/daemon.json'), 'utf8');
  const settings = JSON.parse(written) as Record<string, unknown>;
  const docker = await startDocker(t, kind, undefined, { settings });
  if (docker === undefined) return;
  await docker.run('pull', 'busybox:1.36');
  await s.breakwater.untilLogged(/"repo":"docker\.io\/library\/busybox".*"ua":"docker/);
});

test('BuildKit builds on what comes by what is written for it.', { skip }, async (t) => {
  const s = await setTlsScene(t, ['buildkitd', 'buildctl', 'runc'], {
    settings: { anonymousImport: true },
  });
  if (s === undefined) return;
  if (s.corpus.origin !== 'debian') return t.skip('the images hold no programs that run');
  const host = ['--registry-host', s.breakwater.host, '--force', '--ca', s.caFile];
  const run = commandLine(s.breakwater);
  await run.print('nodes', 'generate', 'buildkit', ...host, '--out', '/');
  const folder = await makeRunFolder('buildkit');
  const address = `unix://${join(folder, 'buildkitd.sock')}`;
  const own = `root = "${join(folder, 'root')}"
[grpc]
  address = ["${address}"]
[worker.containerd]
  enabled = false
[worker.oci]
  binary = "runc"
  snapshotter = "overlayfs"
  defaultCgroupParent = "${sandboxName()}"
`;
  const config = join(folder, 'buildkitd.toml');
  await writeFile(config, own + (await readFile('/etc/buildkit/buildkitd.toml', 'utf8')));
  const PATH = await programFolder(folder, ['runc'], s.paths);
  const daemon = startProcess(s.paths.buildkitd, ['--config', config], { env: { PATH } });
  t.after(async () => {
    await daemon.stop('SIGTERM', 10_000);
    unmountBelow(folder);
    await removeRunFolder(folder);
  });
  await daemon.waitFor(/running server on/, 60_000);
  const context = join(folder, 'context');
  await mkdir(context);
  await writeFile(join(context, 'Dockerfile'), `FROM ${busybox}\nCOPY Dockerfile /\n`);
  const source = ['--local', `context=${context}`, '--local', `dockerfile=${context}`];
  const build = ['build', '--progress', 'plain', '--frontend', 'dockerfile.v0', ...source];
  const built = await runCommand(s.paths.buildctl, ['--addr', address, ...build], {
    env: { DOCKER_CONFIG: folder },
  });
  assert.equal(built.code, 0, built.stderr.slice(-3000));
  await s.breakwater.untilLogged(/"ns":"docker\.io".*"ua":"buildkit/);
});
