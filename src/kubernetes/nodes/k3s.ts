import { stringify } from 'yaml';
import type { NodeFile, NodeSettings } from './node-settings.ts';
import { closedMode, mirroredHosts, openMode } from './node-settings.ts';

/**
 * `registries.yaml` of k3s and RKE2, which make containerd's `hosts.toml` of it. Each host is named: a `*` has left out some of them in several releases. Without the
 * fallback their own setting says so for the hosts that are named.
 */
export function k3sFiles(
  { mapping, scheme, ca, key, fallback }: NodeSettings,
  distribution: 'k3s' | 'rke2',
): readonly NodeFile[] {
  const folder = `/etc/rancher/${distribution}`;
  const caPath = `${folder}/breakwater-ca.pem`;
  const endpoint = [`${scheme}://${mapping.registryHost}`];
  const hosts = mirroredHosts(mapping, { replaced: false }).map(({ host }) => host);
  const config = {
    ...(ca === undefined ? {} : { tls: { ca_file: caPath } }),
    ...(key === undefined ? {} : { auth: { username: key.user, password: key.password } }),
  };
  const registries = {
    mirrors: Object.fromEntries(
      [...hosts, ...(scheme === 'http' ? [mapping.registryHost] : [])].map((host) => [
        host,
        { endpoint },
      ]),
    ),
    ...(Object.keys(config).length === 0 ? {} : { configs: { [mapping.registryHost]: config } }),
  };
  return [
    {
      path: `${folder}/registries.yaml`,
      text: stringify(registries, { lineWidth: 0, aliasDuplicateObjects: false }),
      mode: key === undefined ? openMode : closedMode,
    },
    ...(ca === undefined ? [] : [{ path: caPath, text: ca, mode: openMode }]),
    ...(fallback
      ? []
      : [
          {
            path: `${folder}/config.yaml.d/50-breakwater.yaml`,
            text: 'disable-default-registry-endpoint: true\n',
            mode: openMode,
          },
        ]),
  ];
}
