import { homedir } from 'node:os';
import type {
  ClusterFailure,
  ClusterFailureKind,
} from '../../kubernetes/client/cluster-failure.ts';
import type { ClusterScan } from '../../kubernetes/detect/cluster-scan.ts';
import { CommandFailure, usageFailure } from '../command-failure.ts';
import type { ExitName } from '../exit-codes.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { ClusterOptions } from './cluster-options.ts';

/** Milliseconds that a credential plugin may take, a login in a browser included. */
const pluginMs = 120_000;

export interface ScannedCluster extends ClusterScan {
  /** `the cluster of context prod (https://10.0.0.1:6443)` */
  readonly from: string;
  /** The kubeconfig turns the check of the server's certificate off. */
  readonly insecure: boolean;
}

/** Reads a cluster; throws a `CommandFailure` where it can't be asked. Ends with Ctrl-C. */
export async function readCluster(
  { kubeconfig, context, namespace, allNamespaces, helmSecrets = false }: ClusterOptions,
  terminal: Terminal,
): Promise<ScannedCluster> {
  if (namespace !== undefined && allNamespaces === true)
    throw usageFailure('--namespace is one, --all-namespaces are all', 'leave one of them out');
  const { findTarget } = await import('../../kubernetes/client/find-target.ts');
  const { shownAddress } = await import('../../kubernetes/client/target.ts');
  const { createApiClient } = await import('../../kubernetes/client/api-client.ts');
  const { scanCluster } = await import('../../kubernetes/detect/cluster-scan.ts');
  const { env, cwd } = terminal;
  try {
    const target = await findTarget(
      {
        ...(kubeconfig !== undefined && { kubeconfig }),
        ...(context !== undefined && { context }),
      },
      { env, cwd, home: env['HOME'] ?? homedir() },
    );
    const interactive = terminal.errIsTerminal && terminal.outIsTerminal;
    const surroundings = { env, interactive, deadlineMs: pluginMs };
    await using client = await createApiClient(target, { surroundings });
    const scan = await scanCluster(
      client,
      { helmSecrets, ...(namespace !== undefined && { namespace }) },
      terminal.interrupted(),
    );
    const from = `the cluster of context ${target.context} (${shownAddress(target)})`;
    return { ...scan, from, insecure: target.insecure };
  } catch (error) {
    throw asCommandFailure(error);
  }
}

const exits: Readonly<Record<ClusterFailureKind, ExitName>> = {
  config: 'usage',
  credentials: 'forbidden',
  forbidden: 'forbidden',
  list: 'upstream',
  unreachable: 'upstream',
};
const codes: Readonly<Record<ClusterFailureKind, string>> = {
  config: 'KUBECONFIG',
  credentials: 'CLUSTER_CREDENTIALS',
  forbidden: 'CLUSTER_FORBIDDEN',
  list: 'CLUSTER_LIST',
  unreachable: 'CLUSTER_UNREACHABLE',
};

function asCommandFailure(error: unknown): unknown {
  if (!isClusterFailure(error)) return error;
  const { kind, message, because, hint, cause } = error;
  return new CommandFailure(message, {
    exit: exits[kind],
    code: codes[kind],
    because,
    hint,
    cause,
  });
}

/** By its name: its class is loaded with the client alone. */
function isClusterFailure(error: unknown): error is ClusterFailure {
  return error instanceof Error && error.name === 'ClusterFailure';
}
