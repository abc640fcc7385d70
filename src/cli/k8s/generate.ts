import type { Command } from 'commander';
import { Option } from 'commander';
import { resolve } from 'node:path';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import { CommandFailure, usageFailure } from '../command-failure.ts';
import type { FoundMapping, MappingOptions } from '../move/mapping-source.ts';
import { addMappingOptions, findMapping } from '../move/mapping-source.ts';
import { repeatable } from '../repeatable.ts';
import { printValue } from '../terminal/output.ts';
import { readIfThere } from '../whole-files.ts';

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

interface Options extends MappingOptions {
  readonly failurePolicy: 'Ignore' | 'Fail';
  readonly kubernetesVersion: string;
  readonly static?: boolean;
  readonly namespaceLabel: readonly string[];
  readonly check?: string;
  readonly output: 'yaml' | 'json';
}

export function addK8sCommand(program: Command, context: CommandContext): void {
  const k8s = program
    .command('k8s')
    .summary('what a cluster is given, as text')
    .description('Generates objects for a cluster. Nothing is changed in one.')
    .helpCommand(false);
  const generate = k8s
    .command('generate')
    .summary('policies that rewrite images')
    .description('Prints objects that are applied with kubectl apply -f -.')
    .helpCommand(false);
  addMutatingPolicyCommand(generate, context);
}

function addMutatingPolicyCommand(generate: Command, context: CommandContext): void {
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
    .option('--kubernetes-version <version>', 'of the cluster, from 1.34 on', '1.36')
    .option('--static', "for the API server's own folder: names end in .static.k8s.io")
    .option(
      '--namespace-label <key=value>',
      'only in namespaces with this label; may be repeated',
      repeatable,
      [],
    )
    .option('--check <file>', 'print nothing; end with 10 where the file would be another now')
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(['yaml', 'json']).default('yaml'),
    );
  addMappingOptions(command)
    .addHelpText('after', examples)
    .action(async (options: Options) => {
      const found = await findMapping(options, context);
      remark(command, context, `by ${found.from}`);
      const objects = await objectsOf(found, options);
      if (options.output === 'json' && options.check === undefined) {
        const list = { apiVersion: 'v1', kind: 'List', items: objects };
        return printValue(context.terminal, 'json', list);
      }
      const { policyText } = await import('../../kubernetes/policies/policy-text.ts');
      const text = policyText(objects, {
        command: commandOf(found, options),
        notes: [
          failureNotes[options.failurePolicy],
          ...(options.static === true ? staticNotes : []),
        ],
      });
      if (options.check === undefined) return context.terminal.out(text);
      await check(options.check, text, { command, context });
    });
}

const failureNotes: Readonly<Record<Options['failurePolicy'], string>> = {
  Ignore:
    'failurePolicy Ignore: where an expression fails, a pod starts with its images as they are; --failure-policy Fail refuses it.',
  Fail: 'failurePolicy Fail: where an expression fails, a pod is refused; --failure-policy Ignore starts it with its images as they are.',
};

const staticNotes: readonly string[] = [
  "For a folder of the API server's own, which its admission configuration names for the plugin MutatingAdmissionPolicy:",
  'kind MutatingAdmissionPolicyConfiguration of apiserver.config.k8s.io/v1, staticManifestsDir. 1.36 wants the feature gate',
  'ManifestBasedAdmissionControlConfig for it.',
];

async function objectsOf(
  { mapping, namespaces }: FoundMapping,
  options: Options,
): Promise<readonly object[]> {
  const { MappingTooLarge } = await import('../../kubernetes/policies/image-expressions.ts');
  const { mutatingPolicies } = await import('../../kubernetes/policies/mutating-policy.ts');
  const { include, exclude } = namespaces;
  const isSaid = include.length + exclude.length > 0;
  try {
    return mutatingPolicies({
      mapping,
      scope: {
        include,
        exclude: isSaid ? exclude : ['kube-system'],
        labels: labelsOf(options.namespaceLabel),
      },
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

const labelKey =
  /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const labelValue = /^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;

function labelsOf(words: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    words.map((word) => {
      const equals = word.indexOf('=');
      const [key, value] = [word.slice(0, Math.max(equals, 0)), word.slice(equals + 1)];
      if (!labelKey.test(key) || !labelValue.test(value))
        throw usageFailure(
          `--namespace-label: not a label: ${word}`,
          'write it as pull-through-enabled=true',
        );
      return [key, value];
    }),
  );
}

/** What makes the same text again where the rules are the same; what only says where the rules are found is left as it was given. */
function commandOf({ mapping }: FoundMapping, options: Options): string {
  const words = [
    'breakwater k8s generate mutating-policy',
    '--registry-host',
    mapping.registryHost,
  ];
  for (const name of ['mapping', 'server', 'config', 'dataDir'] as const) {
    const value = options[name];
    const flag = name === 'dataDir' ? '--data-dir' : `--${name}`;
    if (value !== undefined) words.push(flag, quoted(value));
  }
  if (options.force === true) words.push('--force');
  if (options.failurePolicy !== 'Ignore') words.push('--failure-policy', options.failurePolicy);
  if (options.kubernetesVersion !== '1.36')
    words.push('--kubernetes-version', options.kubernetesVersion);
  if (options.static === true) words.push('--static');
  for (const label of options.namespaceLabel) words.push('--namespace-label', label);
  return words.join(' ');
}

/** As a shell takes it, in one line. */
function quoted(text: string): string {
  return /^[\w./:=@-]+$/.test(text)
    ? text
    : `'${text.replaceAll("'", `'\\''`).replaceAll(/[\r\n]/g, ' ')}'`;
}

async function check(
  path: string,
  text: string,
  { command, context }: { readonly command: Command; readonly context: CommandContext },
): Promise<void> {
  const there = await readIfThere(resolve(context.terminal.cwd, path));
  if (there === undefined)
    throw new CommandFailure(`${path} is not there`, {
      exit: 'notFound',
      code: 'FILE_MISSING',
      hint: `make it: leave out --check, and write what is printed to ${path}`,
    });
  if (there === text) return;
  const [old, now] = [there.split('\n'), text.split('\n')];
  const line = now.findIndex((each, index) => each !== old[index]);
  const at = line < 0 ? now.length : line + 1;
  remark(command, context, `${path}:${at}: would be another now; write it anew without --check`);
  context.end('findings');
}
