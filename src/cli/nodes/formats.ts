import {
  containerdFiles,
  kindFiles,
  nodeadmFiles,
  PathStyleImpossible,
} from '../../kubernetes/nodes/containerd.ts';
import { containersFiles } from '../../kubernetes/nodes/containers-registries.ts';
import {
  bottlerocketFiles,
  gkeFiles,
  kopsFiles,
  kubeadmFiles,
  kubesprayFiles,
  talosFiles,
  TooManyHosts,
} from '../../kubernetes/nodes/distributions.ts';
import { credentialProviderFiles } from '../../kubernetes/nodes/credential-provider.ts';
import { buildkitFiles, dockerFiles } from '../../kubernetes/nodes/engines.ts';
import { k3sFiles } from '../../kubernetes/nodes/k3s.ts';
import type { NodeFile, NodeSettings } from '../../kubernetes/nodes/node-settings.ts';
import { usageFailure } from '../command-failure.ts';

/** What options say beside the settings. */
export interface FormatChoice {
  readonly containerd: 1 | 2;
  readonly hostsDir: string;
  readonly pathStyle: boolean;
  /** A URL where Docker Hub is at the root. */
  readonly hubMirror: string | undefined;
}

export interface Format {
  readonly files: (settings: NodeSettings, choice: FormatChoice) => readonly NodeFile[];
  /** Whose key the registry is shown: one of the files; that of whoever uses the engine, or of each pod; none. */
  readonly key: 'in its files' | 'of its clients' | 'of pods' | 'none';
  /** Whether it can be told to ask nobody but the registry. */
  readonly enforces: boolean;
}

export type FormatName =
  | 'containerd'
  | 'crio'
  | 'podman'
  | 'k3s'
  | 'rke2'
  | 'docker'
  | 'buildkit'
  | 'kubespray'
  | 'kops'
  | 'kubeadm'
  | 'talos'
  | 'bottlerocket'
  | 'nodeadm'
  | 'gke'
  | 'kind'
  | 'credential-provider';

const ofNode = { key: 'in its files', enforces: true } as const;

export const formats: Readonly<Record<FormatName, Format>> = {
  containerd: { ...ofNode, files: (...given) => ofContainerd(...given) },
  crio: { ...ofNode, files: (settings) => containersFiles(settings, 'crio') },
  podman: { ...ofNode, files: (settings) => containersFiles(settings, 'podman') },
  k3s: { ...ofNode, files: (settings) => k3sFiles(settings, 'k3s') },
  rke2: { ...ofNode, files: (settings) => k3sFiles(settings, 'rke2') },
  docker: { key: 'none', enforces: false, files: ofDocker },
  buildkit: { key: 'of its clients', enforces: false, files: buildkitFiles },
  kubespray: { ...ofNode, files: kubesprayFiles },
  kops: { key: 'none', enforces: false, files: kopsFiles },
  kubeadm: { key: 'none', enforces: false, files: kubeadmFiles },
  talos: { ...ofNode, files: talosFiles },
  bottlerocket: { key: 'in its files', enforces: false, files: bottlerocketFiles },
  nodeadm: { ...ofNode, files: (...given) => ofContainerd(...given, nodeadmFiles) },
  gke: { key: 'in its files', enforces: false, files: ofGke },
  kind: { ...ofNode, files: (...given) => ofContainerd(...given, kindFiles) },
  'credential-provider': { key: 'of pods', enforces: false, files: credentialProviderFiles },
};

export const formatNames: readonly string[] = Object.keys(formats);

function ofContainerd(
  settings: NodeSettings,
  { containerd: version, hostsDir, pathStyle }: FormatChoice,
  make: typeof containerdFiles = containerdFiles,
): readonly NodeFile[] {
  try {
    return make(settings, { version, hostsDir, pathStyle });
  } catch (error) {
    if (!(error instanceof PathStyleImpossible)) throw error;
    throw usageFailure(`--path-style: ${error.message}`, 'leave it out: ns says the host', error);
  }
}

function ofDocker(settings: NodeSettings, { hubMirror }: FormatChoice): readonly NodeFile[] {
  if (hubMirror === undefined)
    throw usageFailure(
      'Docker asks mirrors for Docker Hub alone, by names without a host, and no such address is known',
      'set hubMirrorListen on the server, and name it with --hub-mirror http://registry.example.com:5002',
    );
  return dockerFiles(settings, hubMirror);
}

function ofGke(settings: NodeSettings): readonly NodeFile[] {
  try {
    return gkeFiles(settings);
  } catch (error) {
    if (!(error instanceof TooManyHosts)) throw error;
    throw usageFailure(error.message, 'name fewer rules in a mapping file', error);
  }
}
