import { sourceText } from '../../domain/names/image-source.ts';
import type { MirroredHost, NodeFile, NodeSettings } from './node-settings.ts';
import { closedMode, mirroredHosts, openMode, quoted } from './node-settings.ts';

/** `crio` has a setting that names the file with the key; podman, skopeo and buildah are told by whoever runs them. */
export type ContainersReader = 'crio' | 'podman';

const authFiles: Readonly<Record<ContainersReader, string>> = {
  crio: '/etc/crio/breakwater-auth.json',
  podman: '/etc/containers/breakwater-auth.json',
};

/**
 * What CRI-O and podman read: a `registries.conf.d` file by paths, since no `ns` is sent, the CA, and the key for the paths of mirrors alone. Names that are
 * just the path of a line (`exact`) can't be told from what is under it there, and go as that does.
 */
export function containersFiles(
  settings: NodeSettings,
  reader: ContainersReader,
): readonly NodeFile[] {
  const { mapping, ca, key } = settings;
  const places = mirroredHosts(mapping, { replaced: true }).flatMap(placesOf);
  const authFile = authFiles[reader];
  const head = [
    ...(key === undefined || reader === 'crio'
      ? []
      : [`# The key is read with REGISTRY_AUTH_FILE=${authFile} or --authfile.`]),
    ...(settings.scheme === 'http' ? [ownRegistry(settings)] : []),
  ];
  const text = [...head, ...places.map((place) => registryTable(place, settings))].join('\n');
  return [
    { path: '/etc/containers/registries.conf.d/50-breakwater.conf', text, mode: openMode },
    ...(ca === undefined
      ? []
      : [
          {
            path: `/etc/containers/certs.d/${mapping.registryHost}/ca.crt`,
            text: ca,
            mode: openMode,
          },
        ]),
    ...(key === undefined
      ? []
      : [{ path: authFile, text: authText(settings, places), mode: closedMode }]),
    ...(key === undefined || reader === 'podman'
      ? []
      : [
          {
            path: '/etc/crio/crio.conf.d/50-breakwater.conf',
            text: `[crio.image]\nglobal_auth_file = ${quoted(authFile)}\n`,
            mode: openMode,
          },
        ]),
  ];
}

interface Place {
  /** Host and path. */
  readonly prefix: string;
  /** What stands here in its place; `undefined`: nothing does. */
  readonly to: string | undefined;
}

function placesOf({ host, rows }: MirroredHost): readonly Place[] {
  return rows
    .filter(({ exact }) => !exact)
    .map(({ path, to }) => ({ prefix: sourceText({ host, path }), to }));
}

/** Host and path, as registries are named there. */
function locationOf({ mapping: { registryHost } }: NodeSettings, to: string): string {
  return to === '' ? registryHost : `${registryHost}/${to}`;
}

function registryTable({ prefix, to }: Place, settings: NodeSettings): string {
  const { fallback, scheme } = settings;
  const head = ['[[registry]]', `prefix = ${quoted(prefix)}`];
  const insecure = scheme === 'http' ? ['insecure = true'] : [];
  const own = [`location = ${quoted(prefix)}`];
  const lines =
    to === undefined
      ? [...head, ...own, ...(fallback ? [] : ['blocked = true'])]
      : fallback
        ? [
            ...head,
            ...own,
            '[[registry.mirror]]',
            `location = ${quoted(locationOf(settings, to))}`,
            ...insecure,
          ]
        : [...head, `location = ${quoted(locationOf(settings, to))}`, ...insecure];
  return [...lines, ''].join('\n');
}

/** For images that are named by the registry itself. */
function ownRegistry({ mapping: { registryHost } }: NodeSettings): string {
  return `[[registry]]\nprefix = ${quoted(registryHost)}\nlocation = ${quoted(registryHost)}\ninsecure = true\n`;
}

function authText(settings: NodeSettings, places: readonly Place[]): string {
  const { key } = settings;
  const auth = Buffer.from(`${key?.user}:${key?.password}`, 'utf8').toString('base64');
  const targets = new Set(
    places.flatMap(({ to }) => (to === undefined ? [] : [locationOf(settings, to)])),
  );
  const auths = Object.fromEntries([...targets].map((target) => [target, { auth }]));
  return `${JSON.stringify({ auths }, null, 2)}\n`;
}
