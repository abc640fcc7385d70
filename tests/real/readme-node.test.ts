// README's steps for other machines, as they stand there: a Docker and a Kubernetes node, each in a network of its own.
import assert from 'node:assert/strict';
import { appendFile, copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { parse } from 'yaml';
import {
  clusterMissing,
  hostAddress,
  makeNodeNamespaces,
  makeNodeNetwork,
  startCluster,
  workload,
} from '../support/processes/cluster.ts';
import type { Cluster } from '../support/processes/cluster.ts';
import { commandLine } from '../support/processes/command-line.ts';
import { dockerKinds, startDocker } from '../support/processes/docker.ts';
import {
  breakwaterCommand,
  checkout,
  follow,
  stepsUnder,
} from '../support/checkout/documented-steps.ts';
import { pushPauseImage } from '../support/samples/pause-image.ts';
import { until } from '../support/rigs/until.ts';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import { enterSandbox, ownSettings, prepareSandbox } from '../support/processes/sandbox.ts';
import { setScene } from '../support/processes/scene.ts';
import type { Scene } from '../support/processes/scene.ts';

const skip = (await clusterMissing()) ?? enterSandbox();
if (skip === undefined) {
  prepareSandbox();
  ownSettings();
  makeNodeNetwork();
}

const image = 'docker.io/library/busybox:1.36';
const pause = 'registry.k8s.io/pause:3.10.1';
const refusal = 'authentication is needed to fetch what is new (anonymousImport)';
const [serverBlock, dockerBlock, mirrorBlock] = stepsUnder('README.md', '### From another machine');
const nodeBlocks = stepsUnder('README.md', '### A Kubernetes node');

/** What the steps write into the configuration; the server is started by the scene. */
async function configured(folder: string): Promise<Record<string, unknown>> {
  const text = serverBlock?.text ?? '';
  assert.match(text, /^npm start -- --config breakwater\.yaml$/m);
  await follow(folder, text.replace(/^npm start.*$/m, ''), { breakwater: breakwaterCommand });
  await copyFile(join(folder, 'tls', 'ca.crt'), join(folder, 'ca.crt'));
  return parse(await readFile(join(folder, 'breakwater.yaml'), 'utf8')) as Record<string, unknown>;
}

interface Stage extends Scene {
  readonly folder: string;
  /** The whole configuration, with what README says of `anonymousImport` or without. */
  settings(imports: boolean): Record<string, unknown>;
}

async function setStage(t: TestContext, imports: boolean): Promise<Stage | undefined> {
  const folder = await makeRunFolder('readme');
  t.after(() => removeRunFolder(folder));
  await appendFile('/etc/hosts', `\n${hostAddress} cache.example.com\n`);
  const shown = await configured(folder);
  assert.equal(shown['anonymousImport'], true);
  let settings: Stage['settings'] = () => ({});
  const scene = await setScene(t, {
    config: ({ url: upstream }) => {
      const rules = ['docker.io', 'registry.k8s.io'].map((prefix) => ({ prefix, upstream }));
      const { anonymousImport, ...rest } = shown;
      settings = (open) => ({
        ...rest,
        hubMirrorListen: '0.0.0.0:5002',
        ...(open ? { anonymousImport } : {}),
        defaultRules: false,
        rules,
      });
      return settings(imports);
    },
  });
  if (scene === undefined) return undefined;
  if (scene.corpus.origin !== 'debian') {
    t.skip('the images hold no programs that run');
    return undefined;
  }
  await pushPauseImage(scene.registry.url, scene.corpus);
  return { ...scene, folder, settings };
}

for (const kind of dockerKinds.slice(0, 2))
  test(`${kind.name} on another machine pulls by README’s steps.`, { skip }, async (t) => {
    const s = await setStage(t, true);
    if (s === undefined) return;
    const launcher = await makeNodeNamespaces(t, 1);
    const mirrors = JSON.parse(mirrorBlock?.text ?? '') as Record<string, unknown>;
    const docker = await startDocker(t, kind, undefined, { launcher, settings: mirrors });
    if (docker === undefined) return;
    const text = dockerBlock?.text.replace('docker.io/library/nginx', image) ?? '';
    const output = await follow(s.folder, text, { docker: docker.command });
    assert.match(output, /Status: Downloaded newer image for cache\.example\.com:5000\//);
    await docker.run('pull', 'busybox:1.36');
    await s.breakwater.untilLogged(/"repo":"docker\.io\/library\/busybox".*"ua":"docker/);
    assert.doesNotMatch(s.breakwater.logs(), /is reached by other machines, but/);
  });

test(
  'A Kubernetes node pulls by README’s steps, and says what is missing before.',
  { skip },
  async (t) => {
    // As it is by default: the node is refused, and both ends say why.
    const s = await setStage(t, false);
    if (s === undefined) return;
    await s.breakwater.untilLogged(
      /listen: 0\.0\.0\.0:5000 is reached by other machines, but nothing new is fetched/,
    );
    const shell = nodeBlocks.filter(({ language }) => language === 'sh').map(({ text }) => text);
    const [hosts = '', pull = '', explain = ''] = shell;
    await follow(s.folder, hosts);
    const cluster = await startCluster(t, { nodes: 1, hostsDir: '/etc/containerd/certs.d' });
    const [node] = cluster.nodes;
    assert.ok(node !== undefined);
    const shown = nodeBlocks.find(({ text }) => text.includes('config_path'))?.text ?? '';
    for (const line of shown.trim().split('\n'))
      assert.ok(node.cri.config.includes(line.trim()), line);

    await cluster.apply(workload('Deployment', 'one', image));
    const events = await untilRefused(cluster);
    assert.ok(events.includes(refusal), events);
    const [line] = await s.breakwater.untilLogged(/.*"status":401.*/);
    assert.match(line, /"principal":"anonymous","reason":"anonymousImport is loopback"/);
    const run = commandLine(s.breakwater);
    const asked = await run.run('explain', pause, '--as', 'anonymous', '--from', '10.97.0.11');
    assert.match(
      asked.stdout,
      /^pull +401 for anonymous from 10\.97\.0\.11: not held, and anonymousImport is loopback/m,
    );
    assert.equal(asked.code, 4);

    // With the setting that README names the same pod starts by itself.
    await s.breakwater.configure(s.settings(true));
    await cluster.kubectl(['wait', '--for=condition=Available', 'deploy/one', '--timeout=120s']);
    await follow(s.folder, pull, { crictl: node.cri.command });
    await until(
      async () => /^content +complete/m.test(await run.print('explain', pause)),
      'all of the image is held',
    );
    const text = explain.replace('--from', `--data-dir "${s.breakwater.dataDir}" --from`);
    const answer = await follow(s.folder, text, { breakwater: breakwaterCommand });
    assert.match(answer, /^pull +200 for anonymous from 192\.0\.2\.7: /m);

    // With a key in the header a node fetches where anonymous may not.
    await s.breakwater.configure(s.settings(false));
    await writeHeader(run);
    await until(async () => {
      const { code } = await node.cri.try('pull', 'docker.io/library/hello:1');
      return code === 0;
    }, 'the key is asked for');
    await s.breakwater.untilLogged(
      /"repo":"docker\.io\/library\/hello".*"status":200.*"principal":"arn:aws:iam::000000000000:user\/nodes"/,
    );
  },
);

/** The events of what failed, once there is one of a pull: the pause image's comes first. */
async function untilRefused(cluster: Cluster): Promise<string> {
  const path = 'jsonpath={range .items[?(@.type=="Warning")]}{.message}{"\\n"}{end}';
  return await until(
    async () => {
      const said = await cluster.kubectl(['get', 'events', '-o', path]);
      return /pull(?:ing)? image/.test(said) ? said : undefined;
    },
    'kubelet says why it could not pull',
    90_000,
  );
}

/** A robot with the policy that README names, and its key in the header of Docker Hub's `hosts.toml`. */
async function writeHeader(run: ReturnType<typeof commandLine>): Promise<void> {
  const policy = join(checkout, 'examples', 'policies', 'nodes-may-import.json');
  await run.print('user', 'create', 'nodes', '--robot');
  await run.print('policy', 'set', '--user', 'nodes', '--name', 'import', '--file', policy);
  const key = await run.json<{ readonly accessKeyId: string; readonly secretAccessKey: string }>(
    'user',
    'keys',
    'create',
    '--user',
    'nodes',
  );
  const pair = Buffer.from(`${key.accessKeyId}:${key.secretAccessKey}`).toString('base64');
  const header = nodeBlocks.find(({ text }) => text.includes('.header]'))?.text ?? '';
  assert.match(header, /"Basic \S+"/);
  const file = '/etc/containerd/certs.d/docker.io/hosts.toml';
  await appendFile(file, header.replace(/"Basic \S+"/, `"Basic ${pair}"`));
}
