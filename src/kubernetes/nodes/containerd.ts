import { stringify } from 'yaml';
import type { MirroredHost, NodeFile, NodeSettings } from './node-settings.ts';
import { basicHeader, closedMode, mirroredHosts, openMode, quoted } from './node-settings.ts';

const configPath = '/etc/containerd/conf.d/50-breakwater.toml';

export interface ContainerdChoice {
  /** Of containerd itself: its configuration has another form in each. */
  readonly version: 1 | 2;
  /** Where containerd looks for a folder of each registry; absolute. */
  readonly hostsDir: string;
  /** For a registry that reads the path alone: it stands in the URL of each mirror, instead of one URL for all and the host in `ns`. */
  readonly pathStyle: boolean;
}

/**
 * A `hosts.toml` for each host, the lines of containerd's own configuration that make it look there, and the CA. Nothing is written for
 * hosts that nothing leads to: an empty folder there would hide `_default`. Throws `PathStyleImpossible`.
 */
export function containerdFiles(
  settings: NodeSettings,
  choice: ContainerdChoice,
): readonly NodeFile[] {
  const { hostsDir } = choice;
  const { ca, key, mapping } = settings;
  const caPath = `${hostsDir}/breakwater-ca.pem`;
  const mirrors = mirroredHosts(mapping, { replaced: false }).map((mirrored) => ({
    path: `${hostsDir}/${mirrored.host}/hosts.toml`,
    text: hostsToml(settings, { url: mirrorUrl(settings, mirrored, choice), caPath, choice }),
    mode: key === undefined ? openMode : closedMode,
  }));
  return [
    ...(ca === undefined ? [] : [{ path: caPath, text: ca, mode: openMode }]),
    ...mirrors,
    ...ownHost(settings, { hostsDir, caPath }),
    { path: configPath, text: configToml(choice), mode: openMode },
  ];
}

/** For images that are named by the registry itself. The key is not shown there: with it a pod's own pull secret would never be asked for. */
function ownHost(
  { mapping: { registryHost }, scheme, ca }: NodeSettings,
  { hostsDir, caPath }: { readonly hostsDir: string; readonly caPath: string },
): readonly NodeFile[] {
  if (ca === undefined && scheme === 'https') return [];
  const lines = [
    `server = ${quoted(`${scheme}://${registryHost}`)}`,
    ...(ca === undefined ? [] : [`ca = ${quoted(caPath)}`]),
    '',
  ];
  const path = `${hostsDir}/${registryHost}/hosts.toml`;
  return [{ path, text: lines.join('\n'), mode: openMode }];
}

/** What a path in a mirror's URL can't say. */
export class PathStyleImpossible extends Error {
  override readonly name = 'PathStyleImpossible';
}

function mirrorUrl(
  { mapping, scheme }: NodeSettings,
  { host, rows }: MirroredHost,
  { pathStyle }: ContainerdChoice,
): string {
  const origin = `${scheme}://${mapping.registryHost}`;
  if (!pathStyle) return origin;
  const [row] = rows;
  if (rows.length !== 1 || row === undefined || row.path !== '' || row.to === undefined)
    throw new PathStyleImpossible(`names at ${host} lead to several places by their path`);
  return row.to === '' ? `${origin}/v2` : `${origin}/v2/${row.to}`;
}

interface Mirror {
  readonly url: string;
  readonly caPath: string;
  readonly choice: ContainerdChoice;
}

/** With the fallback the registry is asked before the server of the host, which containerd knows; without it, it is the server. */
function hostsToml({ ca, key, fallback }: NodeSettings, { url, caPath, choice }: Mirror): string {
  const table = `host.${quoted(url)}`;
  const [indent, head, header] = fallback
    ? ['  ', `[${table}]`, `[${table}.header]`]
    : ['', `server = ${quoted(url)}`, '[header]'];
  const lines = [
    'capabilities = ["pull", "resolve"]',
    ...(ca === undefined ? [] : [`ca = ${quoted(caPath)}`]),
    ...(choice.pathStyle ? ['override_path = true'] : []),
    ...(key === undefined
      ? []
      : [header, `${indent}Authorization = [${quoted(basicHeader(key))}]`]),
  ];
  return [head, ...lines.map((line) => indent + line), ''].join('\n');
}

function configToml(choice: ContainerdChoice): string {
  return `# Read where /etc/containerd/config.toml has: imports = ["/etc/containerd/conf.d/*.toml"]
# Where it has not, these lines go there. It is one folder: several with a colon between them are not looked into.
version = ${choice.version === 2 ? 3 : 2}
${registryTable(choice)}`;
}

function registryTable({ version, hostsDir }: ContainerdChoice): string {
  const plugin = version === 2 ? 'io.containerd.cri.v1.images' : 'io.containerd.grpc.v1.cri';
  return `[plugins.${quoted(plugin)}.registry]\n  config_path = ${quoted(hostsDir)}\n`;
}

/** A cluster of kind, made in the folder of the files: its nodes see the folder of hosts. */
export function kindFiles(settings: NodeSettings, choice: ContainerdChoice): readonly NodeFile[] {
  const { hostsDir } = choice;
  const cluster = {
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    containerdConfigPatches: [registryTable(choice)],
    nodes: [
      {
        role: 'control-plane',
        extraMounts: [{ hostPath: `.${hostsDir}`, containerPath: hostsDir, readOnly: true }],
      },
    ],
  };
  return besideHosts(settings, choice, { path: '/kind-breakwater.yaml', value: cluster });
}

/** User data of nodes of EKS: what nodeadm reads; the folder of hosts has to be there too, by a script of the user data or in the image. */
export function nodeadmFiles(
  settings: NodeSettings,
  choice: ContainerdChoice,
): readonly NodeFile[] {
  const node = {
    apiVersion: 'node.eks.aws/v1alpha1',
    kind: 'NodeConfig',
    spec: { containerd: { config: registryTable(choice) } },
  };
  return besideHosts(settings, choice, { path: '/nodeadm-breakwater.yaml', value: node });
}

function besideHosts(
  settings: NodeSettings,
  choice: ContainerdChoice,
  { path, value }: { readonly path: string; readonly value: object },
): readonly NodeFile[] {
  return [
    ...containerdFiles(settings, choice).filter((file) => file.path !== configPath),
    { path, text: stringify(value, { lineWidth: 0 }), mode: openMode },
  ];
}
