import type { Command } from 'commander';
import { Option } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import { CommandFailure, usageFailure } from '../command-failure.ts';
import type { FoundMapping } from '../move/mapping-source.ts';
import { addMappingOptions, findMapping } from '../move/mapping-source.ts';
import type { PolicyOptions } from './policy-output.ts';
import { addPolicyOptions, printPolicy, scopeOf, sharedWords } from './policy-output.ts';

const examples = `
Examples:
  # See it, try it on one namespace, then have it everywhere
  breakwater k8s generate mutating-policy --registry-host registry.example.com
  breakwater k8s generate mutating-policy --registry-host registry.example.com \\
    --namespace-label pull-through-enabled=true | kubectl apply -f -

  # In a repository: does the file still say what the rules say? Ends with 10 where it does not
  breakwater k8s generate mutating-policy --mapping mapping.yaml > policy.yaml
  breakwater k8s generate mutating-policy --mapping mapping.yaml --check policy.yaml

Pods that are made get the images of the registry: containers, init containers, volumes of images, and debug containers when they are added. Nothing runs in the cluster for it.
`;

interface Options extends PolicyOptions {
  readonly failurePolicy: 'Ignore' | 'Fail';
  readonly kubernetesVersion: string;
}

export function addMutatingPolicyCommand(generate: Command, context: CommandContext): void {
  const command = generate
    .command('mutating-policy')
    .summary('a MutatingAdmissionPolicy that rewrites the images of pods')
    .description(
      'Prints MutatingAdmissionPolicies and their bindings: the API server itself rewrites the images of pods by the mapping when they are made, in every namespace but kube-system unless a mapping file says where.',
    )
    .addOption(
      new Option(
        '--failure-policy <policy>',
        'where an expression fails: Ignore starts the pod with its images as they are, Fail refuses it',
      )
        .choices(['Ignore', 'Fail'])
        .default('Ignore'),
    )
    .option('--kubernetes-version <version>', 'of the cluster, from 1.34 on', '1.36');
  addMappingOptions(addPolicyOptions(command))
    .addHelpText('after', examples)
    .action(async (options: Options) => {
      const found = await findMapping(options, context);
      remark(command, context, `by ${found.from}`);
      const policy = {
        objects: await objectsOf(found, options),
        words: wordsOf(found, options),
        notes: [failureNotes[options.failurePolicy]],
        plugin: 'MutatingAdmissionPolicy',
      } as const;
      await printPolicy(policy, options, { command, context });
    });
}

function wordsOf({ mapping }: FoundMapping, options: Options): readonly string[] {
  const words = ['k8s generate mutating-policy', ...sharedWords(options, mapping.registryHost)];
  if (options.failurePolicy !== 'Ignore') words.push('--failure-policy', options.failurePolicy);
  if (options.kubernetesVersion !== '1.36')
    words.push('--kubernetes-version', options.kubernetesVersion);
  return words;
}

const failureNotes: Readonly<Record<Options['failurePolicy'], string>> = {
  Ignore:
    'failurePolicy Ignore: where an expression fails, a pod starts with its images as they are; --failure-policy Fail refuses it.',
  Fail: 'failurePolicy Fail: where an expression fails, a pod is refused; --failure-policy Ignore starts it with its images as they are.',
};

async function objectsOf(
  { mapping, namespaces }: FoundMapping,
  options: Options,
): Promise<readonly object[]> {
  const { MappingTooLarge } = await import('../../kubernetes/policies/mapping-expressions.ts');
  const { mutatingPolicies } = await import('../../kubernetes/policies/mutating-policy.ts');
  try {
    return mutatingPolicies({
      mapping,
      scope: scopeOf(namespaces, options),
      failurePolicy: options.failurePolicy,
      version: versionOf(options),
      isStatic: options.static === true,
    });
  } catch (error) {
    if (!(error instanceof MappingTooLarge)) throw error;
    throw new CommandFailure('the mapping is too large for a policy', {
      exit: 'usage',
      code: 'MAPPING_TOO_LARGE',
      because: error.message,
      hint: 'name fewer rules in a mapping file and give it with --mapping',
      cause: error,
    });
  }
}

/** The API's version by the cluster's: it is v1 since 1.36 and did not exist before 1.32; alpha is not for use. */
function versionOf({ kubernetesVersion: text, static: isStatic }: Options): 'v1' | 'v1beta1' {
  const [, minor] = /^v?1\.(\d{1,3})(?:[.+-].*)?$/.exec(text) ?? [];
  if (minor === undefined)
    throw usageFailure(`--kubernetes-version: not a version: ${text}`, 'write it as 1.36');
  if (Number(minor) < 34)
    throw usageFailure(
      `Kubernetes ${text} has no MutatingAdmissionPolicy that is on or could be relied on`,
      'it is beta in 1.34 and 1.35, and on in 1.36',
    );
  if (Number(minor) >= 36) return 'v1';
  if (isStatic === true)
    throw usageFailure(
      `Kubernetes ${text} has no folder of its own for policies`,
      'leave out --static; it is there in 1.36, by a feature gate',
    );
  return 'v1beta1';
}
