// README's commands beside the server, as they stand there, from the first pull to the command line.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { startCri } from '../support/processes/cri.ts';
import { dockerKinds, startDocker } from '../support/processes/docker.ts';
import { breakwaterCommand, follow, stepsUnder } from '../support/checkout/documented-steps.ts';
import { pushPauseImage } from '../support/samples/pause-image.ts';
import { enterSandbox, ownSettings, prepareSandbox } from '../support/processes/sandbox.ts';
import { setScene } from '../support/processes/scene.ts';
import type { Scene } from '../support/processes/scene.ts';
import { findTools, runCommand } from '../support/tools/tools.ts';

const skip = enterSandbox();
if (skip === undefined) {
  prepareSandbox();
  ownSettings();
}

const page = 'README.md';
const prefixes = ['docker.io', 'registry.k8s.io', 'quay.io', 'ghcr.io'];
/** Images that the commands name, each the corpus' busybox. */
const named = [
  'library/nginx:latest',
  'library/nginx:1.27',
  'library/busybox:latest',
  'prometheus/busybox:latest',
  'fluxcd/source-controller:v1.4.1',
];

interface Stage extends Scene {
  /** Where the server was started: `data` and `breakwater.yaml` lie there. */
  readonly folder: string;
  readonly paths: Readonly<Record<'crane' | 'podman' | 'skopeo' | 'ctr', string>>;
}

/** The server at the addresses that README has, with the images that its commands name behind it. */
async function setStage(t: TestContext): Promise<Stage | undefined> {
  const tools = await findTools('crane', 'podman', 'skopeo', 'ctr');
  if ('missing' in tools) {
    t.skip(tools.missing);
    return undefined;
  }
  const s = await setScene(t, {
    config: ({ url: upstream }) => ({
      listen: '127.0.0.1:5000',
      adminListen: '127.0.0.1:5001',
      hubMirrorListen: '127.0.0.1:5002',
      defaultRules: false,
      rules: prefixes.map((prefix) => ({ prefix, upstream })),
    }),
  });
  if (s === undefined) return undefined;
  if (s.corpus.origin !== 'debian') {
    t.skip('the images hold no programs that run');
    return undefined;
  }
  const { host } = new URL(s.registry.url);
  await pushPauseImage(s.registry.url, s.corpus);
  for (const [from, to] of [
    ['pause:3.10.1', 'pause:3.10'],
    ...named.map((name) => ['library/busybox:1.36', name]),
  ]) {
    const args = ['copy', '--insecure', `${host}/${from}`, `${host}/${to}`];
    const { code, stderr } = await runCommand(tools.paths.crane, args);
    assert.equal(code, 0, stderr);
  }
  return { ...s, folder: dirname(s.breakwater.configFile), paths: tools.paths };
}

test(
  'The commands of README pull, push and look, with Docker, podman, skopeo and crane.',
  { skip },
  async (t) => {
    const s = await setStage(t);
    const [kind] = dockerKinds.slice(1);
    if (s === undefined || kind === undefined) return;
    const { folder, paths } = s;
    const clients = '### docker, podman, skopeo, crane';
    const [commands, mirrors] = stepsUnder(page, clients);
    const docker = await startDocker(t, kind, undefined, {
      settings: JSON.parse(mirrors?.text ?? '') as Record<string, unknown>,
    });
    if (docker === undefined) return;
    const storage = join(folder, 'storage.conf');
    await writeFile(
      storage,
      `[storage]\ndriver = "vfs"\ngraphroot = "${folder}/graph"\nrunroot = "${folder}/run"\n`,
    );
    const programs = {
      docker: docker.command,
      podman: `env CONTAINERS_STORAGE_CONF="${storage}" "${paths.podman}"`,
      skopeo: `"${paths.skopeo}" --insecure-policy`,
      crane: `"${paths.crane}"`,
      breakwater: breakwaterCommand,
    };
    const [start, first] = stepsUnder(page, '# Breakwater');
    assert.match(start?.text ?? '', /^npm start$/m);
    await follow(folder, first?.text ?? '', programs);
    await follow(folder, commands?.text ?? '', programs);
    await docker.run('pull', 'busybox:latest');

    const [push] = stepsUnder(page, '## Your own images, and who may do what');
    await follow(folder, push?.text ?? '', programs);
    await s.breakwater.untilLogged(/"repo":"team\/web".*"status":201/);

    // Beside the configuration that the server was started with.
    const [look] = stepsUnder(page, '## The command line');
    const shown = look?.text.replace('breakwater doctor', '$& --config breakwater.yaml') ?? '';
    const said = await follow(folder, shown, programs);
    assert.match(said, /^pull +200 for anonymous from this machine: /m);
    assert.match(
      said,
      /^pull +401 for anonymous from another machine: not held, and anonymousImport is loopback/m,
    );
  },
);

test('containerd pulls by the files of README.', { skip }, async (t) => {
  const s = await setStage(t);
  if (s === undefined) return;
  const [hosts, config, pull] = stepsUnder(page, '### containerd');
  const hostsDir = '/etc/containerd/certs.d';
  const cri = await startCri(t, { hostsDir, subnet: '10.98.1.0/24' });
  if (cri === undefined) return;
  for (const line of config?.text.trim().split('\n') ?? [])
    assert.ok(cri.config.includes(line.trim()), line);
  await mkdir(join(hostsDir, 'docker.io'), { recursive: true });
  await writeFile(join(hostsDir, 'docker.io', 'hosts.toml'), hosts?.text ?? '');
  const ctr = `"${s.paths.ctr}" --address "${cri.socket}"`;
  await follow(s.folder, pull?.text ?? '', { ctr });
  await cri.crictl('pull', 'docker.io/library/nginx:1.27');
  await s.breakwater.untilLogged(/"repo":"docker\.io\/library\/nginx".*"ns":"docker\.io"/);
});
