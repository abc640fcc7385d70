import type { Command } from 'commander';
import type { ImageSource } from '../../domain/names/image-source.ts';
import { parseImageSource } from '../../domain/names/image-source.ts';
import type { AllowedSources } from '../../kubernetes/policies/validating-policy.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import { usageFailure } from '../command-failure.ts';
import type { FoundMapping } from '../move/mapping-source.ts';
import { addMappingOptions, findMapping } from '../move/mapping-source.ts';
import { repeatable } from '../repeatable.ts';
import type { PolicyOptions } from './policy-output.ts';
import { addPolicyOptions, printPolicy, scopeOf, sharedWords } from './policy-output.ts';

const examples = `
Examples:
  # Who still pulls past the registry? Warns, and leaves a line in the audit log of the API server
  breakwater k8s generate validating-policy --registry-host registry.example.com | kubectl apply -f -

  # Then refuse it
  breakwater k8s generate validating-policy --registry-host registry.example.com --enforce

  # No registry at all: nothing from where images are frozen or gone
  breakwater k8s generate validating-policy --not-from k8s.gcr.io --not-from docker.io/bitnami --enforce
`;

interface Options extends PolicyOptions {
  readonly notFrom: readonly string[];
  readonly enforce?: boolean;
}

export function addValidatingPolicyCommand(generate: Command, context: CommandContext): void {
  const command = generate
    .command('validating-policy')
    .summary('a ValidatingAdmissionPolicy that says where images may come from')
    .description(
      'Prints a ValidatingAdmissionPolicy and its binding: images of pods only from the registry, or with --not-from all but from some. It warns; with --enforce it refuses. In every namespace but kube-system unless a mapping file says where; from Kubernetes 1.30 on.',
    )
    .option(
      '--not-from <host[/path]>',
      'instead: from everywhere but there, such as k8s.gcr.io; may be repeated',
      repeatable,
      [],
    )
    .option('--enforce', 'refuse such pods instead of warning of them');
  addMappingOptions(addPolicyOptions(command))
    .addHelpText('after', examples)
    .action(async (options: Options) => {
      const { validatingPolicy } = await import('../../kubernetes/policies/validating-policy.ts');
      const found = await mappingOf(options, context);
      if (found !== undefined) remark(command, context, `by ${found.from}`);
      const host = options.notFrom.length === 0 ? found?.mapping.registryHost : undefined;
      const allowed: AllowedSources =
        host === undefined
          ? { kind: 'not', sources: options.notFrom.map(sourceOf) }
          : { kind: 'only', host };
      const objects = validatingPolicy({
        allowed,
        scope: scopeOf(found?.namespaces, options),
        enforce: options.enforce === true,
        isStatic: options.static === true,
      });
      const policy = { objects, words: wordsOf(options, host), notes: [note(options)] };
      const plugin = 'ValidatingAdmissionPolicy';
      await printPolicy({ ...policy, plugin }, options, { command, context });
    });
}

/** Hosts that are refused need no mapping; what a file says of namespaces counts all the same. */
async function mappingOf(
  options: Options,
  context: CommandContext,
): Promise<FoundMapping | undefined> {
  const isNeeded = options.notFrom.length === 0 || options.mapping !== undefined;
  return isNeeded ? await findMapping(options, context) : undefined;
}

function sourceOf(text: string): ImageSource {
  const source = text.endsWith('/') ? undefined : parseImageSource(text);
  if (source !== undefined) return source;
  throw usageFailure(
    `--not-from: no registry and no part of one: ${text}`,
    'write it as k8s.gcr.io or docker.io/bitnami',
  );
}

function wordsOf(options: Options, host: string | undefined): readonly string[] {
  const words = ['k8s generate validating-policy', ...sharedWords(options, host)];
  for (const source of options.notFrom) words.push('--not-from', source);
  if (options.enforce === true) words.push('--enforce');
  return words;
}

function note({ enforce }: Options): string {
  return enforce === true
    ? 'validationActions Deny: such pods are refused; without --enforce they are warned of. Where an expression fails, a pod is made.'
    : 'validationActions Warn and Audit: such pods are made, with a warning and a line in the audit log; --enforce refuses them.';
}
