import type { NodeFile, NodeSettings } from './node-settings.ts';
import { mirroredHosts, openMode, quoted } from './node-settings.ts';

/**
 * Docker's `daemon.json`: it asks a mirror for Docker Hub alone, by names without a host, and shows it no key. Everything else is pulled by the
 * registry's own name, for which it gets the CA. `hubMirror`: the URL where Docker Hub is at the root.
 */
export function dockerFiles(
  { mapping: { registryHost }, scheme, ca }: NodeSettings,
  hubMirror: string,
): readonly NodeFile[] {
  const mirror = new URL(hubMirror);
  const settings = {
    'registry-mirrors': [mirror.origin],
    ...(scheme === 'http' ? { 'insecure-registries': [registryHost] } : {}),
  };
  const hosts = new Set([registryHost, ...(mirror.protocol === 'https:' ? [mirror.host] : [])]);
  return [
    {
      path: '/etc/docker/daemon.json',
      text: `${JSON.stringify(settings, null, 2)}\n`,
      mode: openMode,
    },
    ...(ca === undefined
      ? []
      : [...hosts].map((host) => ({
          path: `/etc/docker/certs.d/${host}/ca.crt`,
          text: ca,
          mode: openMode,
        }))),
  ];
}

/** `buildkitd.toml`: a mirror for each host, which is told apart by `ns`. Its clients bring keys: `docker login`. */
export function buildkitFiles({ mapping, scheme, ca }: NodeSettings): readonly NodeFile[] {
  const { registryHost } = mapping;
  const caPath = '/etc/buildkit/breakwater-ca.pem';
  const mirrors = mirroredHosts(mapping, { replaced: false }).map(
    ({ host }) => `[registry.${quoted(host)}]\n  mirrors = [${quoted(registryHost)}]\n`,
  );
  // Unless it is said, what is on loopback is plain HTTP to it.
  const own = [
    `[registry.${quoted(registryHost)}]\n  http = ${scheme === 'http'}\n`,
    ...(ca === undefined ? [] : [`  ca = [${quoted(caPath)}]\n`]),
  ];
  return [
    { path: '/etc/buildkit/buildkitd.toml', text: [...mirrors, ...own].join(''), mode: openMode },
    ...(ca === undefined ? [] : [{ path: caPath, text: ca, mode: openMode }]),
  ];
}
