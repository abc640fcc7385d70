// The four clients as functions of one ask: where they run, and what of their output counts.
import { digestOf } from '../../support/samples/digest.ts';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startProcess } from '../../support/processes/process.ts';
import { findTool, findTools, runCommand } from '../../support/tools/tools.ts';
import type { CommandResult } from '../../support/tools/tools.ts';
import type { Ask, ClientName } from './shape.ts';

const askMs = 30_000;

/** Where a client looks: a host and a repository there. */
export interface Place {
  readonly host: string;
  readonly repository: string;
  /** A folder of this run alone, for what is pulled. */
  readonly folder: string;
}

/** What the client answered; throws what it said where it fails. */
export type Client = (ask: Ask, place: Place) => Promise<string>;

export type Clients = Readonly<Record<ClientName, Client | { readonly missing: string }>> &
  AsyncDisposable;

/** `folder`: for containerd's data and regctl's configuration. */
export async function findClients(folder: string): Promise<Clients> {
  const [crane, skopeo, regctl] = await Promise.all(
    (['crane', 'skopeo', 'regctl'] as const).map((name) => findTool(name)),
  );
  const containerd = await startContainerd(folder);
  return {
    crane: 'path' in crane! ? createCrane(crane.path) : crane!,
    skopeo: 'path' in skopeo! ? createSkopeo(skopeo.path) : skopeo!,
    regctl: 'path' in regctl! ? createRegctl(regctl.path, folder) : regctl!,
    containerd: 'missing' in containerd ? containerd : containerd.client,
    [Symbol.asyncDispose]: async () => {
      if ('stop' in containerd) await containerd.stop();
    },
  };
}

async function outputOf(
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const result: CommandResult = await runCommand(path, args, { timeoutMs: askMs, env });
  if (result.code === 0) return result.stdout;
  throw new Error(`${args.join(' ')}: ${result.stderr.slice(-2000)}`);
}

function imageOf({ host, repository }: Place, reference: string): string {
  return `${host}/${repository}${reference.includes(':') ? '@' : ':'}${reference}`;
}

const linesOf = (text: string): string => text.split(/\s+/).filter(Boolean).toSorted().join(' ');

async function layoutDigest(folder: string): Promise<string> {
  const index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as {
    readonly manifests: readonly { readonly digest: string }[];
  };
  return index.manifests[0]?.digest ?? 'nothing';
}

function cannot(client: ClientName, ask: Ask): never {
  throw new Error(`${client} has no way to ask for ${ask.ask}`);
}

function createCrane(path: string): Client {
  return async (ask, place) => {
    const run = (...args: readonly string[]): Promise<string> =>
      outputOf(path, ['--insecure', ...args], { DOCKER_CONFIG: place.folder });
    switch (ask.ask) {
      case 'pull': {
        const folder = join(place.folder, digestOf(ask.reference).slice(7, 15));
        await run('pull', '--format=oci', imageOf(place, ask.reference), folder);
        return await layoutDigest(folder);
      }
      case 'digest':
        return (await run('digest', imageOf(place, ask.reference))).trim();
      case 'tags':
        return linesOf(await run('ls', `${place.host}/${place.repository}`));
      case 'blob':
        return digestOf(await run('blob', imageOf(place, ask.reference)));
      case 'referrers':
        return cannot('crane', ask);
    }
  };
}

function createSkopeo(path: string): Client {
  return async (ask, place) => {
    const run = (...args: readonly string[]): Promise<string> =>
      outputOf(path, ['--insecure-policy', ...args], {
        REGISTRY_AUTH_FILE: join(place.folder, 'auth.json'),
      });
    switch (ask.ask) {
      case 'pull': {
        const folder = join(place.folder, 'dir');
        const image = `docker://${imageOf(place, ask.reference)}`;
        await run('copy', '--all', '--src-tls-verify=false', image, `dir:${folder}`);
        return digestOf(await readFile(join(folder, 'manifest.json')));
      }
      case 'digest': {
        const image = `docker://${imageOf(place, ask.reference)}`;
        const options = ['--tls-verify=false', '--no-tags', '--format={{.Digest}}'];
        return (await run('inspect', ...options, image)).trim();
      }
      case 'tags': {
        const repository = `docker://${place.host}/${place.repository}`;
        const listed = await run('list-tags', '--tls-verify=false', repository);
        const { Tags: tags } = JSON.parse(listed) as { readonly Tags: readonly string[] };
        return linesOf(tags.join(' '));
      }
      case 'blob':
      case 'referrers':
        return cannot('skopeo', ask);
    }
  };
}

function createRegctl(path: string, folder: string): Client {
  return async (ask, place) => {
    const run = (...args: readonly string[]): Promise<string> =>
      outputOf(path, ['--host', `reg=${place.host},tls=disabled`, ...args], {
        REGCTL_CONFIG: join(folder, 'regctl.json'),
        DOCKER_CONFIG: place.folder,
      });
    switch (ask.ask) {
      case 'pull': {
        const layout = join(place.folder, 'layout');
        const to = `ocidir://${layout}:pulled`;
        await run('image', 'copy', imageOf(place, ask.reference), to);
        return (await run('image', 'digest', to)).trim();
      }
      case 'digest':
        return (await run('manifest', 'head', imageOf(place, ask.reference))).trim();
      case 'tags':
        return linesOf(await run('tag', 'ls', `${place.host}/${place.repository}`));
      case 'blob':
        return digestOf(
          await run('blob', 'get', `${place.host}/${place.repository}`, ask.reference),
        );
      case 'referrers': {
        const each = '{{range .Descriptors}}{{.Digest}} {{.ArtifactType}}\n{{end}}';
        const image = imageOf(place, ask.reference);
        return linesOf(await run('artifact', 'list', image, '--format', each));
      }
    }
  };
}

async function startContainerd(
  folder: string,
): Promise<
  { readonly client: Client; readonly stop: () => Promise<unknown> } | { readonly missing: string }
> {
  const tools = await findTools('containerd', 'ctr');
  if ('missing' in tools) return tools;
  const socket = join(folder, 'c.sock');
  const config = join(folder, 'containerd.toml');
  const owner = `uid = ${process.getuid?.() ?? 0}\n  gid = ${process.getgid?.() ?? 0}`;
  await mkdir(folder, { recursive: true });
  // `isolated`: what one run has fetched is not there for the next.
  await writeFile(
    config,
    `version = 3
root = "${join(folder, 'root')}"
state = "${join(folder, 'state')}"
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "${socket}"
  ${owner}
[ttrpc]
  address = "${socket}.ttrpc"
  ${owner}
[plugins."io.containerd.metadata.v1.bolt"]
  content_sharing_policy = "isolated"
`,
  );
  const daemon = startProcess(tools.paths.containerd, ['--config', config]);
  await daemon.waitFor(/containerd successfully booted/, 30_000);
  let runs = 0;
  const namespaces = new Map<string, string>();
  const client: Client = async (ask, place) => {
    if (ask.ask !== 'pull') return cannot('containerd', ask);
    const namespace = namespaces.get(place.folder) ?? `run${(runs += 1)}`;
    namespaces.set(place.folder, namespace);
    const ctr = (...args: readonly string[]): Promise<string> =>
      outputOf(tools.paths.ctr, ['--address', socket, '--namespace', namespace, ...args]);
    const image = imageOf(place, ask.reference);
    await ctr('content', 'fetch', '--plain-http', '--all-platforms', image);
    const listed = await ctr('images', 'ls', `name==${image}`);
    return /sha256:[0-9a-f]{64}(?=\s)/.exec(listed.replaceAll(image, ''))?.[0] ?? listed;
  };
  return { client, stop: () => daemon.stop() };
}
