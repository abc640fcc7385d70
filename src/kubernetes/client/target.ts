import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ClusterFailure } from './cluster-failure.ts';
import type { Entry, Kubeconfig } from './kubeconfig.ts';
import { flagOf, textOf, wrongField } from './yaml-fields.ts';

/** An API server, and who asks it. */
export interface ClusterTarget {
  /** `the cluster's own` where a pod's service account is used. */
  readonly context: string;
  /** With the path under which a proxy such as Rancher has it; without a slash at its end. */
  readonly server: URL;
  /** PEM; absent: the system's roots. */
  readonly ca: string | undefined;
  /** The kubeconfig says `insecure-skip-tls-verify`: nobody's identity is checked. */
  readonly insecure: boolean;
  /** The name in the certificate where it is not the server's. */
  readonly serverName: string | undefined;
  /** Absent: as the environment says (HTTPS_PROXY, NO_PROXY). */
  readonly proxyUrl: URL | undefined;
  /** Of the context; what `--namespace` is without it. */
  readonly namespace: string | undefined;
  readonly user: Entry;
}

/** What a context leads to; its files are read. Throws a `ClusterFailure` that names what is missing. */
export async function targetOf(
  config: Kubeconfig,
  contextName: string | undefined,
): Promise<ClusterTarget> {
  const name = contextName ?? config.currentContext;
  if (name === undefined)
    throw missing(config, 'names no current context', `--context: ${listed(config.contexts)}`);
  const context = config.contexts.get(name);
  if (context === undefined)
    throw missing(config, `has no context ${name}`, listed(config.contexts));
  const clusterName = textOf(context.fields, 'cluster') ?? '';
  const cluster = config.clusters.get(clusterName);
  if (cluster === undefined)
    throw missing(
      config,
      `has no cluster ${clusterName}, which context ${name} names`,
      listed(config.clusters),
    );
  const userName = textOf(context.fields, 'user');
  const user = userName === undefined ? nobody : config.users.get(userName);
  if (user === undefined)
    throw missing(
      config,
      `has no user ${userName}, which context ${name} names`,
      listed(config.users),
    );
  const { fields } = cluster;
  const insecure = flagOf(fields, 'insecure-skip-tls-verify');
  const ca = await pemOf(cluster, 'certificate-authority');
  if (insecure && ca !== undefined)
    throw new ClusterFailure(
      `${fields.where} has a certificate authority and insecure-skip-tls-verify beside it`,
      { kind: 'config', hint: 'take insecure-skip-tls-verify out: kubectl refuses both too' },
    );
  return {
    context: name,
    server: serverOf(cluster),
    ca,
    insecure,
    serverName: textOf(fields, 'tls-server-name'),
    proxyUrl: proxyOf(cluster),
    namespace: textOf(context.fields, 'namespace'),
    user,
  };
}

/** The server's address as it may be shown: without the user and the password that a URL can hold. */
export function shownAddress({ server }: Pick<ClusterTarget, 'server'>): string {
  return `${server.origin}${server.pathname}`.replace(/\/$/, '');
}

/** A context without a user asks as nobody. */
export const nobody: Entry = { fields: { where: 'user', values: {} }, folder: '.' };

function listed(names: ReadonlyMap<string, unknown>): string {
  const all = [...names.keys()];
  if (all.length === 0) return 'it has none';
  return `it has ${all.slice(0, 20).join(', ')}${all.length > 20 ? ', …' : ''}`;
}

function missing({ files }: Kubeconfig, what: string, hint: string): ClusterFailure {
  return new ClusterFailure(`${files} ${what}`, { kind: 'config', hint });
}

function serverOf({ fields }: Entry): URL {
  const text = textOf(fields, 'server');
  // Without a scheme kubectl takes http, which nobody means.
  const url = text === undefined ? undefined : URL.parse(text);
  if (url === null || url === undefined || !/^https?:$/.test(url.protocol))
    throw wrongField(fields.where, 'server', 'an https:// or http:// address');
  url.pathname = url.pathname.replace(/\/+$/, '');
  return url;
}

function proxyOf({ fields }: Entry): URL | undefined {
  const text = textOf(fields, 'proxy-url');
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw wrongField(
      fields.where,
      'proxy-url',
      'an http:// or https:// address (SOCKS is not spoken)',
    );
  return url;
}

/** `NAME-data` in base64, else the file `NAME`, else `undefined`. Throws where the file can't be read. */
export async function pemOf({ fields, folder }: Entry, name: string): Promise<string | undefined> {
  const data = textOf(fields, `${name}-data`);
  if (data !== undefined) {
    const pem = Buffer.from(data, 'base64').toString('utf8');
    if (!pem.includes('-----BEGIN '))
      throw wrongField(fields.where, `${name}-data`, 'PEM in base64');
    return pem;
  }
  const file = textOf(fields, name);
  if (file === undefined) return undefined;
  return readText(resolve(folder, file), `${fields.where}.${name}`);
}

/** A file that a kubeconfig names. */
export async function readText(path: string, where: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new ClusterFailure(`${where} names ${path}, which can't be read`, {
      kind: 'config',
      hint: 'check the path and its mode',
      because: (cause as Error).message,
      cause,
    });
  }
}
