// BuildKit: a base image through the mirror, a push, and its cache in the registry in both forms.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { basicOf } from '../support/processes/breakwater.ts';
import { programFolder } from '../support/processes/docker.ts';
import { startProcess } from '../support/processes/process.ts';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import {
  enterSandbox,
  prepareSandbox,
  sandboxName,
  unmountBelow,
} from '../support/processes/sandbox.ts';
import { setScene } from '../support/processes/scene.ts';
import type { Scene } from '../support/processes/scene.ts';
import { findTools, runCommand } from '../support/tools/tools.ts';
import type { CommandResult } from '../support/tools/tools.ts';

const skip = enterSandbox();
if (skip === undefined) prepareSandbox();

const dockerfile = `FROM docker.io/library/busybox:1.36 AS first
RUN ["/bin/busybox", "sh", "-c", "echo built > /built"]
FROM docker.io/library/busybox:1.36
COPY --from=first /built /built
`;

interface Builder extends Scene {
  /** `HOST/team/built`, which may be pushed to. */
  readonly repository: string;
  build(...flags: readonly string[]): Promise<string>;
  /** Forgets everything that was pulled and built. */
  prune(): Promise<void>;
}

async function withBuilder(t: TestContext): Promise<Builder | undefined> {
  const tools = await findTools('buildkitd', 'buildctl', 'runc');
  if ('missing' in tools) {
    t.skip(tools.missing);
    return undefined;
  }
  const s = await setScene(t);
  if (s === undefined) return undefined;
  if (s.corpus.origin !== 'debian') {
    t.skip('the images hold no programs that run');
    return undefined;
  }
  const folder = await makeRunFolder('buildkit');
  const path = await programFolder(folder, ['runc'], tools.paths);
  const address = `unix://${join(folder, 'buildkitd.sock')}`;
  const config = join(folder, 'buildkitd.toml');
  await writeFile(config, buildkitConfig(folder, address, s.breakwater.host));
  const flags = ['--config', config];
  const daemon = startProcess(tools.paths.buildkitd, flags, { env: { PATH: path } });
  t.after(async () => {
    await daemon.stop('SIGTERM', 10_000);
    unmountBelow(folder);
    await removeRunFolder(folder);
  });
  await daemon.waitFor(/running server on/, 60_000);
  const context = join(folder, 'context');
  await mkdir(context);
  await writeFile(join(context, 'Dockerfile'), dockerfile);
  const auth = (await basicOf(s.breakwater)).slice('Basic '.length);
  await writeFile(
    join(folder, 'config.json'),
    JSON.stringify({ auths: { [s.breakwater.host]: { auth } } }),
  );
  const buildctl = async (...args: readonly string[]): Promise<string> => {
    const result: CommandResult = await runCommand(
      tools.paths.buildctl,
      ['--addr', address, ...args],
      { env: { DOCKER_CONFIG: folder } },
    );
    assert.equal(result.code, 0, `buildctl ${args.join(' ')}: ${result.stderr.slice(-3000)}`);
    return result.stdout + result.stderr;
  };
  const source = ['--local', `context=${context}`, '--local', `dockerfile=${context}`];
  return {
    ...s,
    repository: `${s.breakwater.host}/team/built`,
    build: (...more) =>
      buildctl('build', '--progress', 'plain', '--frontend', 'dockerfile.v0', ...source, ...more),
    prune: async () => void (await buildctl('prune', '--all')),
  };
}

function buildkitConfig(folder: string, address: string, host: string): string {
  return `root = "${join(folder, 'root')}"
[grpc]
  address = ["${address}"]
[worker.containerd]
  enabled = false
[worker.oci]
  binary = "runc"
  snapshotter = "overlayfs"
  defaultCgroupParent = "${sandboxName()}"
[registry."docker.io"]
  mirrors = ["${host}"]
[registry."${host}"]
  http = true
`;
}

const forms = [
  { name: 'a manifest', flags: '' },
  { name: 'an index of layers', flags: ',image-manifest=false' },
];

for (const { name, flags } of forms) {
  test(
    `BuildKit builds on what comes by mirror, pushes, and takes its cache of the form of ${name} back.`,
    { skip },
    async (t) => {
      const s = await withBuilder(t);
      if (s === undefined) return;
      const cache = `type=registry,ref=${s.repository}:cache`;
      const output = (tag: string): string => `type=image,name=${s.repository}:${tag},push=true`;
      await s.build('--output', output('1'), '--export-cache', `${cache},mode=max${flags}`);
      assert.equal(s.front.count({ kind: 'blob', method: 'GET' }), 2);
      await s.front.down();
      await s.prune();
      const again = await s.build('--output', output('2'), '--import-cache', cache);
      assert.match(again, /CACHED/);
      const authorization = await basicOf(s.breakwater);
      for (const tag of ['1', '2', 'cache']) {
        const url = `${s.breakwater.url}/v2/team/built/manifests/${tag}`;
        const answer = await fetch(url, {
          method: 'HEAD',
          headers: { authorization, accept: '*/*' },
        });
        assert.equal(answer.status, 200, tag);
      }
    },
  );
}
