import { stringify } from 'yaml';
import { sourceText } from '../../domain/names/image-source.ts';
import type { MirroredHost, NodeFile, NodeSettings } from './node-settings.ts';
import { basicHeader, closedMode, mirroredHosts, openMode, quoted } from './node-settings.ts';

// What others read that make nodes: fragments of their own files. No tool here reads them; what each is by is beside it.

/** Under `group_vars`. Its template of `hosts.toml` (hosts.toml.j2) knows no CA: nodes must trust it already. */
export function kubesprayFiles(settings: NodeSettings): readonly NodeFile[] {
  const { key, fallback, mapping } = settings;
  const url = urlOf(settings);
  const mirror = {
    host: url,
    capabilities: ['pull', 'resolve'],
    skip_verify: false,
    ...(key === undefined ? {} : { auth: { username: key.user, password: key.password } }),
  };
  const containerd = hostsOf(settings).map(({ host }) => ({
    prefix: host,
    ...(fallback ? {} : { server: url }),
    mirrors: [mirror],
  }));
  const crio = mirroredHosts(mapping, { replaced: true }).flatMap(({ host, rows }) =>
    rows.flatMap(({ path, to, exact }) => {
      if (exact || to === undefined) return [];
      const location = to === '' ? mapping.registryHost : `${mapping.registryHost}/${to}`;
      const insecure = settings.scheme === 'http';
      const prefix = sourceText({ host, path });
      return fallback
        ? [{ prefix, location: prefix, insecure: false, mirrors: [{ location, insecure }] }]
        : [{ prefix, location, insecure }];
    }),
  );
  const variables = { containerd_registries_mirrors: containerd, crio_registries: crio };
  return [fileOf('kubespray-breakwater.yml', variables, settings, trustNote(settings))];
}

/** Under the cluster's `spec`. It has no place for a key or a CA. */
export function kopsFiles(settings: NodeSettings): readonly NodeFile[] {
  const url = urlOf(settings);
  const registryMirrors = Object.fromEntries(hostsOf(settings).map(({ host }) => [host, [url]]));
  const spec = { spec: { containerd: { registryMirrors } } };
  return [fileOf('kops-breakwater.yaml', spec, settings, trustNote(settings))];
}

/** kubeadm's own images by the registry's name: that of CoreDNS is under a path of its own. Where nothing leads to registry.k8s.io there is no file. */
export function kubeadmFiles(settings: NodeSettings): readonly NodeFile[] {
  const found = settings.mapping.rewrite('registry.k8s.io/coredns/coredns');
  if (found.kind === 'unchanged') return [];
  const dns = found.image.replace(/\/coredns$/, '');
  const configuration = {
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    kind: 'ClusterConfiguration',
    imageRepository: dns.replace(/\/coredns$/, ''),
    dns: { imageRepository: dns },
  };
  const pause = settings.mapping.rewrite('registry.k8s.io/pause:3.10.1');
  const note =
    pause.kind === 'unchanged'
      ? []
      : [
          'The image of sandboxes is set in containerd, for 2.x: [plugins."io.containerd.cri.v1.images".pinned_images]',
          `sandbox = ${quoted(pause.image)}`,
        ];
  return [fileOf('kubeadm-breakwater.yaml', configuration, settings, note)];
}

/** Documents of Talos 1.12 and later (RegistryMirrorConfig, RegistryTLSConfig, RegistryAuthConfig). */
export function talosFiles(settings: NodeSettings): readonly NodeFile[] {
  const { ca, key, fallback, mapping } = settings;
  const own = { name: mapping.registryHost };
  const document = (kind: string, fields: object): object => ({
    apiVersion: 'v1alpha1',
    kind,
    ...fields,
  });
  const documents = [
    ...hostsOf(settings).map(({ host }) =>
      document('RegistryMirrorConfig', {
        name: host,
        endpoints: [{ url: urlOf(settings) }],
        ...(fallback ? {} : { skipFallback: true }),
      }),
    ),
    ...(ca === undefined ? [] : [document('RegistryTLSConfig', { ...own, ca })]),
    ...(key === undefined
      ? []
      : [document('RegistryAuthConfig', { ...own, username: key.user, password: key.password })]),
  ];
  return [
    {
      path: '/talos-breakwater.yaml',
      text: documents.map(yamlOf).join('---\n'),
      mode: modeOf(settings),
    },
  ];
}

/** User data (settings.container-registry, settings.pki). */
export function bottlerocketFiles(settings: NodeSettings): readonly NodeFile[] {
  const { ca, key, mapping } = settings;
  const mirrors = hostsOf(settings).map(
    ({ host }) =>
      `[[settings.container-registry.mirrors]]\nregistry = ${quoted(host)}\nendpoint = [${quoted(urlOf(settings))}]\n`,
  );
  const credentials =
    key === undefined
      ? []
      : [
          `[[settings.container-registry.credentials]]\nregistry = ${quoted(mapping.registryHost)}\nusername = ${quoted(key.user)}\npassword = ${quoted(key.password)}\n`,
        ];
  const trust =
    ca === undefined
      ? []
      : [
          `[settings.pki.breakwater]\ndata = ${quoted(Buffer.from(ca, 'utf8').toString('base64'))}\ntrusted = true\n`,
        ];
  const text = [...mirrors, ...credentials, ...trust].join('\n');
  return [{ path: '/bottlerocket-breakwater.toml', text, mode: modeOf(settings) }];
}

const gkeHostsMax = 25;

/** A runtime configuration of GKE (containerd, registryHosts), where `server` names the host and is asked last. The CA has to be in Secret Manager, for which there is a field. Throws `TooManyHosts`. */
export function gkeFiles(settings: NodeSettings): readonly NodeFile[] {
  const { key, ca } = settings;
  const hosts = hostsOf(settings);
  if (hosts.length > gkeHostsMax)
    throw new TooManyHosts(`GKE takes ${gkeHostsMax} hosts, and rules lead to ${hosts.length}`);
  const mirror = {
    host: urlOf(settings),
    capabilities: ['HOST_CAPABILITY_PULL', 'HOST_CAPABILITY_RESOLVE'],
    ...(key === undefined ? {} : { header: [{ key: 'Authorization', value: [basicHeader(key)] }] }),
  };
  const registryHosts = hosts.map(({ host }) => ({
    server: host,
    hosts: [mirror],
  }));
  const note =
    ca === undefined
      ? []
      : [
          'Put the CA into Secret Manager, and beside each host: ca: [{gcpSecretManagerSecretUri: …}]',
        ];
  return [fileOf('gke-breakwater.yaml', { registryHosts }, settings, note)];
}

export class TooManyHosts extends Error {
  override readonly name = 'TooManyHosts';
}

function urlOf({ mapping, scheme }: NodeSettings): string {
  return `${scheme}://${mapping.registryHost}`;
}

function hostsOf({ mapping }: NodeSettings): readonly MirroredHost[] {
  return mirroredHosts(mapping, { replaced: false });
}

function trustNote({ ca }: NodeSettings): readonly string[] {
  return ca === undefined
    ? []
    : ['It has no place for a CA: that of the registry must be among those that nodes trust.'];
}

function modeOf({ key }: NodeSettings): number {
  return key === undefined ? openMode : closedMode;
}

function fileOf(
  name: string,
  value: object,
  settings: NodeSettings,
  notes: readonly string[],
): NodeFile {
  const head = notes.map((line) => `# ${line}\n`).join('');
  return { path: `/${name}`, text: head + yamlOf(value), mode: modeOf(settings) };
}

function yamlOf(value: object): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}
