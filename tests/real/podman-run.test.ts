// podman runs what it pulled by a mirror of registries.conf.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeRunFolder, removeRunFolder } from '../support/processes/run-folder.ts';
import {
  enterSandbox,
  prepareSandbox,
  sandboxName,
  unmountBelow,
} from '../support/processes/sandbox.ts';
import { setScene } from '../support/processes/scene.ts';
import { findTools, runCommand } from '../support/tools/tools.ts';

const skip = enterSandbox();
if (skip === undefined) prepareSandbox();

test('podman runs what it pulled by mirror, and again with upstream gone.', { skip }, async (t) => {
  const tools = await findTools('podman', 'runc-1.1');
  if ('missing' in tools) return t.skip(tools.missing);
  const s = await setScene(t);
  if (s === undefined) return;
  if (s.corpus.origin !== 'debian') return t.skip('the images hold no programs that run');
  const folder = await makeRunFolder('podman');
  t.after(async () => {
    unmountBelow(folder);
    await removeRunFolder(folder);
  });
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  const env = {
    CONTAINERS_CONF: await file('containers.conf', containersConf(folder, tools.paths['runc-1.1'])),
    CONTAINERS_STORAGE_CONF: await file('storage.conf', storageConf(folder)),
    CONTAINERS_REGISTRIES_CONF: await file('registries.conf', mirrorOf(s.breakwater.host)),
    REGISTRY_AUTH_FILE: await file('auth.json', '{}'),
    HOME: folder,
  };
  const policy = await file('policy.json', '{"default":[{"type":"insecureAcceptAnything"}]}');
  const podman = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await runCommand(tools.paths.podman, args, { env });
    assert.equal(code, 0, `podman ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  };
  const pullAndRun = async (): Promise<void> => {
    await podman('pull', '-q', '--signature-policy', policy, 'docker.io/library/busybox:1.36');
    const flags = ['--rm', '--network', 'none', '--cgroup-parent', `/${sandboxName()}`];
    const command = ['docker.io/library/busybox:1.36', '/bin/busybox', 'id', '-u'];
    assert.equal(await podman('run', ...flags, ...command), '0');
  };

  await pullAndRun();
  assert.equal(s.front.count({ kind: 'blob', method: 'GET' }), 2);
  await s.front.down();
  await podman('rmi', '--all', '--force');
  await pullAndRun();
});

/** crun refuses cgroups of both versions at once, and root may not raise limits everywhere. */
function containersConf(folder: string, runc: string): string {
  return `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "${runc}"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "${join(folder, 'tmp')}"
[network]
network_config_dir = "${join(folder, 'net')}"
`;
}

function storageConf(folder: string): string {
  return `[storage]
driver = "overlay"
graphroot = "${join(folder, 'graph')}"
runroot = "${join(folder, 'run')}"
`;
}

function mirrorOf(host: string): string {
  return `[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "${host}/docker.io"
insecure = true
`;
}
