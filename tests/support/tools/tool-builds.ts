// How the programs that tests run are had where they are not installed: built with Go, or taken out of Debian's packages.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openDebianPackages } from './debian-packages.ts';
import { runCommand } from '../processes/run-command.ts';

/** Puts a bundle's programs into the empty folder `into`; answers why it could not. */
type Build = (into: string) => Promise<string | undefined>;

/** What is made at once; its programs lie in one folder. */
export type BundleName =
  | 'registry'
  | 'crane'
  | 'regctl'
  | 'ctr'
  | 'containerd'
  | 'helm'
  | 'cosign'
  | 'docker-debian'
  | 'containerd-shim-runc-v2'
  | 'cni'
  | 'runc'
  | 'crictl'
  | 'dockerd'
  | 'buildkit'
  | 'etcd'
  | 'kubernetes'
  | 'zot';

/** A program of a bundle. */
export type BuiltTool =
  | Exclude<BundleName, 'docker-debian' | 'cni' | 'buildkit' | 'kubernetes'>
  | 'docker-20.10'
  | 'dockerd-20.10'
  | 'runc-1.1'
  | 'bridge'
  | 'loopback'
  | 'host-local'
  | 'buildkitd'
  | 'buildctl'
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kube-scheduler'
  | 'kubelet'
  | 'kubectl';

export interface Bundle<Name extends string = BuiltTool> {
  /** Of the folder that keeps it: another version is another folder. */
  readonly version: string;
  /** Their paths in that folder. */
  readonly programs: Readonly<Partial<Record<Name, string>>>;
  /** What `build` takes to be there. */
  readonly needs: readonly ('go' | 'gcc' | 'pkg-config' | 'apt-get' | 'dpkg-deb')[];
  readonly build: Build;
}

/** Names the moment, in milliseconds since the epoch, after which nothing is built any more: `npm test` sets it. */
export const buildsEndKey = 'BREAKWATER_BUILDS_END';
/** Of one build on a busy core. */
const limitMs = 2_400_000;

/** How long a build that starts now may take, in milliseconds; nothing may be built where it is 0. */
export function buildTimeMs(): number {
  const end = Number(process.env[buildsEndKey] ?? Number.POSITIVE_INFINITY);
  return Math.max(0, Math.min(limitMs, end - Date.now()));
}

const kubernetes = 'v1.36.3';

const kubernetesCommands = {
  'kube-apiserver': 'kube-apiserver',
  'kube-controller-manager': 'kube-controller-manager',
  'kube-scheduler': 'kube-scheduler',
  kubelet: 'kubelet',
  kubectl: 'kubectl',
} as const;

const distribution = 'github.com/distribution/distribution/v3/cmd';
const containerd = 'github.com/containerd/containerd/v2/cmd';
const plugins = 'github.com/containernetworking/plugins/plugins';
const moby = 'github.com/moby/moby/v2';

/** In the order in which tests need them; the heaviest come last. */
export const bundles: Readonly<Record<BundleName, Bundle>> = {
  registry: install('v3.1.2', { registry: `${distribution}/registry` }),
  crane: install('v0.22.1', { crane: 'github.com/google/go-containerregistry/cmd/crane' }),
  regctl: install('v0.11.7', { regctl: 'github.com/regclient/regclient/cmd/regctl' }),
  ctr: install('v2.4.2', { ctr: `${containerd}/ctr` }),
  containerd: install('v2.4.2', { containerd: `${containerd}/containerd` }),
  helm: install('v3.22.0', { helm: 'helm.sh/helm/v3/cmd/helm' }),
  cosign: install('v3.1.3', { cosign: 'github.com/sigstore/cosign/v3/cmd/cosign' }),
  'docker-debian': debian('bookworm', ['docker.io', 'runc', 'tini'], {
    'docker-20.10': 'usr/bin/docker',
    'dockerd-20.10': 'usr/sbin/dockerd',
    'runc-1.1': 'usr/sbin/runc',
  }),
  'containerd-shim-runc-v2': install('v2.4.2', {
    'containerd-shim-runc-v2': `${containerd}/containerd-shim-runc-v2`,
  }),
  cni: install('v1.10.0', {
    bridge: `${plugins}/main/bridge`,
    loopback: `${plugins}/main/loopback`,
    'host-local': `${plugins}/ipam/host-local`,
  }),
  runc: install(
    'v1.5.3',
    { runc: 'github.com/opencontainers/runc' },
    { ldflags: '-X main.version=1.5.3', tags: 'seccomp', cgo: true },
  ),
  crictl: install('v1.37.0', { crictl: 'sigs.k8s.io/cri-tools/cmd/crictl' }),
  // Docker 29, whose release tags are no versions of a Go module.
  dockerd: install(
    'v2.0.0-beta.24',
    { dockerd: `${moby}/cmd/dockerd` },
    { ldflags: `-X ${moby}/dockerversion.Version=29.0.0`, cgo: true },
  ),
  buildkit: {
    version: 'v0.34.2',
    programs: { buildkitd: 'buildkitd', buildctl: 'buildctl' },
    needs: ['go'],
    build: buildBuildkit,
  },
  etcd: { version: 'v3.6.8', programs: { etcd: 'etcd' }, needs: ['go'], build: buildEtcd },
  kubernetes: {
    version: kubernetes,
    programs: kubernetesCommands,
    needs: ['go'],
    build: buildKubernetes,
  },
  // A peer of the bench alone; `sync` is what makes it a pull-through cache.
  zot: install('v2.1.8', { zot: 'zotregistry.dev/zot/v2/cmd/zot' }, { tags: 'sync' }),
};

interface GoOptions {
  readonly ldflags?: string;
  readonly tags?: string;
  readonly cgo?: true;
}

/** `go install` of commands of one module; each program's name is the last part of its package. */
function install<Name extends BuiltTool>(
  version: string,
  packages: Readonly<Record<Name, string>>,
  options: GoOptions = {},
): Bundle<Name> {
  const names = Object.keys(packages) as Name[];
  const args = names.map((name) => `${packages[name]}@${version}`);
  const programs: { [program in Name]?: string } = {};
  for (const name of names) programs[name] = name;
  return {
    version,
    programs,
    needs: options.cgo === true ? ['go', 'gcc', 'pkg-config'] : ['go'],
    build: (into) =>
      go(['install', ...flagsOf(options), ...args], { ...options, env: { GOBIN: into } }),
  };
}

function flagsOf({ ldflags = '', tags }: GoOptions): string[] {
  const flags = ['-trimpath', '-ldflags', `-s -w ${ldflags}`.trim()];
  return tags === undefined ? flags : [...flags, '-tags', tags];
}

interface GoRun {
  readonly cgo?: true;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

async function go(args: readonly string[], run: GoRun): Promise<string | undefined> {
  const result = await runCommand('go', args, {
    timeoutMs: buildTimeMs(),
    ...(run.cwd === undefined ? {} : { cwd: run.cwd }),
    env: { CGO_ENABLED: run.cgo === true ? '1' : '0', ...run.env },
  });
  if (result.code === 0) return undefined;
  return result.stderr.trimEnd().split('\n').at(-1)?.slice(0, 300) ?? 'go failed';
}

/** Its go.mod excludes versions, so that it can be built in its own folder alone. */
async function buildBuildkit(into: string): Promise<string | undefined> {
  const module = await moduleOf('github.com/moby/buildkit@v0.34.2');
  if ('missing' in module) return module.missing;
  const ldflags = '-X github.com/moby/buildkit/version.Version=v0.34.2';
  const packages = ['./cmd/buildkitd', './cmd/buildctl'];
  const args = ['build', ...flagsOf({ ldflags }), '-o', `${into}/`, ...packages];
  return await go(args, { cwd: module.Dir });
}

async function moduleOf(
  module: string,
): Promise<{ readonly Dir: string; readonly GoMod: string } | { readonly missing: string }> {
  const result = await runCommand('go', ['mod', 'download', '-json', module], {
    timeoutMs: buildTimeMs(),
  });
  if (result.code !== 0) return { missing: result.stdout.slice(-300) || result.stderr.slice(-300) };
  return JSON.parse(result.stdout) as { Dir: string; GoMod: string };
}

/** The server is a library: its own `main` is three lines. */
async function buildEtcd(into: string): Promise<string | undefined> {
  const main = `package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
`;
  const mod = 'module realtools\ngo 1.26\nrequire go.etcd.io/etcd/server/v3 v3.6.8\n';
  return await inModule(into, { 'go.mod': mod, 'main.go': main }, [
    ['build', ...flagsOf({}), '-o', join(into, 'etcd'), '.'],
  ]);
}

/** Kubernetes' go.mod replaces its staging modules by folders that its zip lacks: a module of our own by their releases. */
async function buildKubernetes(into: string): Promise<string | undefined> {
  const module = await moduleOf(`k8s.io/kubernetes@${kubernetes}`);
  if ('missing' in module) return module.missing;
  const staged = [...(await readFile(module.GoMod, 'utf8')).matchAll(/^\s*(k8s\.io\/\S+) => \./gm)];
  const release = kubernetes.replace('v1.', 'v0.');
  const replaced = staged.map(([, name = '']) => `replace ${name} => ${name} ${release}`);
  const names = Object.keys(kubernetesCommands);
  const imports = names.map((name) => `\t_ "k8s.io/kubernetes/cmd/${name}"`);
  const version = 'k8s.io/component-base/version';
  const [, minor = ''] = kubernetes.split('.');
  const ldflags = `-X ${version}.gitVersion=${kubernetes} -X ${version}.gitMajor=1 -X ${version}.gitMinor=${minor}`;
  return await inModule(
    into,
    {
      'go.mod': `module realtools\ngo 1.26\nrequire k8s.io/kubernetes ${kubernetes}\n${replaced.join('\n')}\n`,
      'tools.go': `//go:build tools\n\npackage tools\n\nimport (\n${imports.join('\n')}\n)\n`,
    },
    names.map((name) => [
      'build',
      ...flagsOf({ ldflags }),
      '-o',
      join(into, name),
      `k8s.io/kubernetes/cmd/${name}`,
    ]),
  );
}

/** Runs Go in a module of these files, with a build cache of its own that goes with it: it takes gigabytes. */
async function inModule(
  into: string,
  files: Readonly<Record<string, string>>,
  runs: readonly (readonly string[])[],
): Promise<string | undefined> {
  const folder = await mkdtemp(`${into}.module-`);
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const env = { GOFLAGS: '-mod=mod', GOCACHE: join(folder, 'cache') };
    for (const args of [['mod', 'tidy'], ...runs]) {
      const reason = await go(args, { cwd: folder, env });
      if (reason !== undefined) return reason;
    }
    return undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Programs out of Debian's packages of a release, which need not be installed. */
function debian<Name extends BuiltTool>(
  release: string,
  packages: readonly string[],
  programs: Readonly<Record<Name, string>>,
): Bundle<Name> {
  return {
    version: release,
    programs,
    needs: ['apt-get', 'dpkg-deb'],
    build: async (into) => {
      const folder = await mkdtemp(`${into}.packages-`);
      try {
        const source = await openDebianPackages(folder);
        if ('missing' in source) return source.missing;
        if (source.release !== release) return `these are packages of Debian ${source.release}`;
        for (const name of packages) {
          const file = await source.download(name, 'amd64');
          const { code, stderr } = await runCommand('dpkg-deb', ['-x', file, into]);
          if (code !== 0) return stderr.trim().slice(-300);
        }
        return undefined;
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}
