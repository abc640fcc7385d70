import type { Command } from 'commander';

export interface ClusterOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly helmSecrets?: boolean;
}

/** Gives a command kubectl's options that say which cluster is read, and how much of it. */
export function addClusterOptions(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'instead of KUBECONFIG and ~/.kube/config')
    .option('--context <name>', 'a context of it, instead of the current one')
    .option('-n, --namespace <name>', 'one namespace alone')
    .option('-A, --all-namespaces', 'all namespaces, as it is without --namespace')
    .option(
      '--helm-secrets',
      'also read the Secrets of Helm’s releases, to name the value of the chart that says an image',
    );
}
