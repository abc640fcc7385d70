// Clients on another machine, each made to meet a cause; what they print is what is said.
import { mkdirSync } from 'node:fs';
import { mkdir, writeFile, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { startCri } from '../processes/cri.ts';
import { startDocker } from '../processes/docker.ts';
import type { Docker, DockerKind } from '../processes/docker.ts';
import { until } from '../rigs/until.ts';
import { makeRunFolder, removeRunFolder } from '../processes/run-folder.ts';
import { findTools, runCommand } from '../tools/tools.ts';
import type { CommandResult } from '../tools/tools.ts';
import type { Cause } from './causes.ts';
import type { Login, RefusalStage } from './stage.ts';

/** One client; `undefined` for what it can't do. It must fail. */
export type Provoke = (cause: Cause) => Promise<CommandResult | undefined>;

const heldImage = 'docker.io/library/busybox:1.36';
const wrong: Login = { user: 'AKIAWRONGWRONGWRONG1', password: 'wrong' };

/** Where each client looks for the CA of a registry; in the sandbox `/etc` is a copy. */
async function trust(stage: RefusalStage, cause: Cause, folder: string): Promise<void> {
  const certs = join(folder, stage.hostOf(cause));
  mkdirSync(certs, { recursive: true });
  await copyFile(stage.caFile, join(certs, 'ca.crt'));
}

export async function dockerClient(
  t: TestContext,
  stage: RefusalStage,
  kind: DockerKind,
): Promise<Provoke | undefined> {
  const docker = await startDocker(t, kind, stage.hubMirror, {
    launcher: stage.launcher,
    settings: { 'insecure-registries': stage.plainHosts },
  });
  if (docker === undefined) return undefined;
  const login = (host: string, { user, password }: Login): Promise<CommandResult> =>
    docker.try(['login', '-u', user, '--password-stdin', host], password);
  return async (cause) => {
    if (cause.does === 'mirror') return await passedOver(docker, cause.image);
    // It tries TLS first, whatever it is told of a registry.
    if (cause.speaks === 'http') return undefined;
    const host = stage.hostOf(cause);
    if (cause.does === 'login') return await login(host, wrong);
    if (cause.speaks === 'trusted') await trust(stage, cause, '/etc/docker/certs.d');
    if (cause.as !== undefined) await login(host, stage.user);
    try {
      const image = `${host}/${cause.image}`;
      if (cause.does !== 'push') return await docker.try(['pull', image]);
      const held = `${stage.hostOf({ server: 'open' })}/${heldImage}`;
      await docker.run('pull', '-q', held);
      await docker.run('tag', held, image);
      return await docker.try(['push', image]);
    } finally {
      if (cause.as !== undefined) await docker.try(['logout', host]);
    }
  };
}

/** What Docker logs of its mirror when it goes on to Docker Hub itself, which is out of reach here. */
async function passedOver(docker: Docker, image: string): Promise<CommandResult> {
  const from = docker.daemon.output().length;
  const result = await docker.try(['pull', image]);
  const line = await until(
    () =>
      /time=.*msg="(?:trying next host|Attempting next endpoint).*/.exec(
        docker.daemon.output().slice(from),
      )?.[0],
    'dockerd logs it',
  );
  return { ...result, stderr: line };
}

/** `ctr` and `crictl` of one containerd, and what it logs meanwhile; with a `hosts.toml` for each cause's server. */
export async function nodeClients(
  t: TestContext,
  stage: RefusalStage,
): Promise<Readonly<Record<'ctr' | 'kubelet' | 'containerd-log', Provoke>> | undefined> {
  const cri = await startCri(t, { subnet: '10.98.1.0/24', launcher: stage.launcher });
  const tools = await findTools('ctr');
  if (cri === undefined || 'missing' in tools) {
    if ('missing' in tools) t.skip(tools.missing);
    return undefined;
  }
  const hosts = async (cause: Cause): Promise<void> => {
    const host = stage.hostOf(cause);
    const plain = cause.speaks === 'http' || (cause.speaks === undefined && cause.server !== 'tls');
    const url = `${plain ? 'http' : 'https'}://${host}`;
    const ca = cause.speaks === 'trusted' ? `  ca = "${stage.caFile}"\n` : '';
    // The public registry behind a mirror is one where nothing listens.
    const mirrors = cause.does === 'mirror';
    const folder = join(cri.hostsDir, mirrors ? 'docker.io' : host);
    const server = mirrors
      ? `http://${stage.hostOf({ server: 'nothing', otherAddress: true })}`
      : url;
    await mkdir(folder, { recursive: true });
    await writeFile(
      join(folder, 'hosts.toml'),
      `server = "${server}"\n[host."${url}"]\n  capabilities = ["pull", "resolve"]\n${ca}`,
    );
  };
  const imageOf = (cause: Cause): string =>
    cause.does === 'mirror' ? cause.image : `${stage.hostOf(cause)}/${cause.image}`;
  const pulls = (cause: Cause): boolean => cause.does === 'pull' || cause.does === 'mirror';
  const kubelet: Provoke = async (cause) => {
    if (!pulls(cause)) return undefined;
    await hosts(cause);
    const { user, password } = stage.user;
    const creds = cause.as === undefined ? [] : ['--creds', `${user}:${password}`];
    return await cri.try('pull', ...creds, imageOf(cause));
  };
  const [program, ...before] = [...stage.launcher, tools.paths.ctr, '--address', cri.socket];
  return {
    async ctr(cause) {
      if (!pulls(cause)) return undefined;
      await hosts(cause);
      const args = ['images', 'pull', '--hosts-dir', cri.hostsDir, '--local'];
      const { user, password } = stage.user;
      if (cause.as !== undefined) args.push('--user', `${user}:${password}`);
      return await runCommand(program, [...before, ...args, imageOf(cause)]);
    },
    kubelet,
    async 'containerd-log'(cause) {
      if (!pulls(cause)) return undefined;
      const from = cri.daemon.output().length;
      const result = await kubelet(cause);
      // Of a mirror that is passed over it says so before it fails at the next.
      const pattern = cause.does === 'mirror' ? /msg="trying next host.*/ : /msg="fetch failed.*/;
      const line = await until(
        () => cri.daemon.output().slice(from).match(pattern)?.[0],
        'containerd logs it',
      );
      return result && { ...result, stderr: line };
    },
  };
}

/** podman, skopeo and crane, which need no daemon. */
export async function plainClients(
  t: TestContext,
  stage: RefusalStage,
): Promise<Readonly<Record<'podman' | 'skopeo' | 'crane', Provoke>> | undefined> {
  const tools = await findTools('podman', 'skopeo', 'crane');
  if ('missing' in tools) {
    t.skip(tools.missing);
    return undefined;
  }
  const { paths } = tools;
  const folder = await makeRunFolder('refused');
  t.after(() => removeRunFolder(folder));
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  await mkdir(join(folder, 'docker'));
  const env = {
    HOME: folder,
    DOCKER_CONFIG: join(folder, 'docker'),
    REGISTRY_AUTH_FILE: await file('auth.json', '{}'),
    CONTAINERS_REGISTRIES_CONF: await file('registries.conf', ''),
    CONTAINERS_STORAGE_CONF: await file(
      'storage.conf',
      `[storage]\ndriver = "vfs"\ngraphroot = "${folder}/graph"\nrunroot = "${folder}/run"\n`,
    ),
  };
  const policy = await file('policy.json', '{"default":[{"type":"insecureAcceptAnything"}]}');
  const held = `${stage.hostOf({ server: 'open' })}/${heldImage}`;
  const command = (
    path: string,
    args: readonly string[],
    more: Readonly<Record<string, string>> = {},
  ): Promise<CommandResult> => {
    const [program = '', ...rest] = [...stage.launcher, path, ...args];
    return runCommand(program, rest, { env: { ...env, ...more }, input: wrong.password });
  };
  const isPlain = (cause: Cause): boolean => cause.speaks === undefined && cause.server !== 'tls';
  const trusted = async (cause: Cause): Promise<void> => {
    if (cause.speaks === 'trusted') await trust(stage, cause, '/etc/containers/certs.d');
  };
  return {
    async podman(cause) {
      if (cause.does === 'mirror' || cause.speaks === 'http') return undefined;
      const host = stage.hostOf(cause);
      await trusted(cause);
      const flags = isPlain(cause) ? ['--tls-verify=false'] : [];
      if (cause.does === 'login') {
        return await command(paths.podman, [
          'login',
          ...flags,
          '-u',
          wrong.user,
          '--password-stdin',
          host,
        ]);
      }
      const image = `${host}/${cause.image}`;
      const creds =
        cause.as === undefined ? [] : ['--creds', `${stage.user.user}:${stage.user.password}`];
      if (cause.does === 'pull')
        return await command(paths.podman, [
          'pull',
          '--signature-policy',
          policy,
          ...flags,
          ...creds,
          image,
        ]);
      await command(paths.podman, ['pull', '--signature-policy', policy, ...flags, held]);
      await command(paths.podman, ['tag', held, image]);
      return await command(paths.podman, [
        'push',
        '--signature-policy',
        policy,
        ...flags,
        ...creds,
        image,
      ]);
    },
    async skopeo(cause) {
      if (cause.does === 'mirror' || cause.speaks === 'http') return undefined;
      const host = stage.hostOf(cause);
      await trusted(cause);
      const verify = isPlain(cause) ? 'false' : 'true';
      if (cause.does === 'login') {
        const flags = [`--tls-verify=${verify}`, '-u', wrong.user, '--password-stdin'];
        return await command(paths.skopeo, ['login', ...flags, host]);
      }
      const image = `docker://${host}/${cause.image}`;
      const pair = `${stage.user.user}:${stage.user.password}`;
      const to = join(folder, `dir-${cause.id}`);
      const side = cause.does === 'pull' ? 'src' : 'dest';
      const creds = cause.as === undefined ? [] : [`--${side}-creds`, pair];
      const places = cause.does === 'pull' ? [image, `dir:${to}`] : [`docker://${held}`, image];
      const flags = [
        'copy',
        '--policy',
        policy,
        '--src-tls-verify=' + (cause.does === 'pull' ? verify : 'false'),
      ];
      if (cause.does === 'push') flags.push('--dest-tls-verify=false');
      return await command(paths.skopeo, [...flags, ...creds, ...places]);
    },
    async crane(cause) {
      if (cause.does === 'mirror' || cause.speaks === 'http') return undefined;
      const host = stage.hostOf(cause);
      const flags = isPlain(cause) ? ['--insecure'] : [];
      const ca: Record<string, string> =
        cause.speaks === 'trusted' ? { SSL_CERT_FILE: stage.caFile } : {};
      // Its login keeps a pair without trying it.
      const login = cause.does === 'login' ? wrong : cause.as && stage.user;
      if (login !== undefined) {
        const pair = ['-u', login.user, '-p', login.password];
        await command(paths.crane, ['auth', 'login', ...flags, ...pair, host]);
      }
      try {
        const image = `${host}/${cause.image}`;
        const tarball = join(folder, `${cause.id}.tar`);
        return cause.does === 'push'
          ? await command(paths.crane, ['copy', ...flags, held, image])
          : await command(paths.crane, ['pull', ...flags, image, tarball], ca);
      } finally {
        if (login !== undefined) await command(paths.crane, ['auth', 'logout', host]);
      }
    },
  };
}
