import { readFile, stat } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { ClusterFailure } from './cluster-failure.ts';
import type { Kubeconfig } from './kubeconfig.ts';
import { kubeconfigBytesMax, mergeKubeconfigs, parseKubeconfig } from './kubeconfig.ts';
import { targetOf } from './target.ts';
import type { ClusterTarget } from './target.ts';

export interface TargetOptions {
  /** `--kubeconfig`: this file and no other. */
  readonly kubeconfig?: string;
  readonly context?: string;
}

export interface TargetSurroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly home: string;
  /** Where a pod finds its service account. */
  readonly accountFolder?: string;
}

const podAccount = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Which API server is meant, as kubectl finds it: the file named, those of KUBECONFIG, ~/.kube/config, else the pod's own service account. */
export async function findTarget(
  options: TargetOptions,
  surroundings: TargetSurroundings,
): Promise<ClusterTarget> {
  const config = await readConfigs(options, surroundings);
  if (config !== undefined) return targetOf(config, options.context);
  const own = options.context === undefined ? await ownCluster(surroundings) : undefined;
  if (own !== undefined) return own;
  throw new ClusterFailure('no kubeconfig was found, and this is no pod', {
    kind: 'config',
    hint: 'name one with --kubeconfig or KUBECONFIG; without a cluster name files, folders, or - for a list on stdin',
  });
}

async function readConfigs(
  { kubeconfig }: TargetOptions,
  { env, cwd, home }: TargetSurroundings,
): Promise<Kubeconfig | undefined> {
  if (kubeconfig !== undefined) {
    const path = resolve(cwd, kubeconfig);
    const text = await readConfig(path);
    if (text === undefined)
      throw new ClusterFailure(`${kubeconfig} is not there`, {
        kind: 'config',
        hint: 'check --kubeconfig',
      });
    return parseKubeconfig(text, path);
  }
  const named = (env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
  const paths = named.length > 0 ? named : [join(home, '.kube', 'config')];
  const found: Kubeconfig[] = [];
  for (const path of paths.map((each) => resolve(cwd, each))) {
    // One that is not there is none, as for kubectl.
    const text = await readConfig(path);
    if (text !== undefined) found.push(await parseKubeconfig(text, path));
  }
  return found.length === 0 ? undefined : mergeKubeconfigs(found);
}

async function readConfig(path: string): Promise<string | undefined> {
  try {
    const { size } = await stat(path);
    if (size > kubeconfigBytesMax)
      throw new ClusterFailure(`${path} is larger than 8 MiB`, {
        kind: 'config',
        hint: 'name the kubeconfig itself',
      });
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof ClusterFailure) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new ClusterFailure(`${path} can't be read`, {
      kind: 'config',
      hint: 'check its mode and owner, or name another with --kubeconfig',
      because: message,
      cause,
    });
  }
}

async function ownCluster({
  env,
  accountFolder = podAccount,
}: TargetSurroundings): Promise<ClusterTarget | undefined> {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'];
  if (host === undefined || port === undefined) return undefined;
  const read = (name: string): Promise<string | undefined> =>
    readFile(join(accountFolder, name), 'utf8').catch(() => undefined);
  const ca = await read('ca.crt');
  const token = await read('token');
  // Without its CA nothing would prove the server.
  if (ca === undefined || token === undefined) return undefined;
  return {
    context: 'of this pod',
    server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
    ca,
    insecure: false,
    serverName: undefined,
    proxyUrl: undefined,
    namespace: (await read('namespace'))?.trim(),
    user: {
      fields: { where: 'service account', values: { tokenFile: join(accountFolder, 'token') } },
      folder: accountFolder,
    },
  };
}
