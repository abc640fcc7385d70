import type { Command } from 'commander';
import { Option } from 'commander';
import type { IdentityPolicyView, PolicyValidation } from '../../contract/access-view.ts';
import type { Listing } from '../../contract/admin-view.ts';
import type { PolicyProblem } from '../../domain/policy/problem.ts';
import { CommandFailure } from '../command-failure.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList, printValue } from '../terminal/output.ts';
import type { PlaceOptions } from '../place-options.ts';
import { addPlaceOptions } from '../place-options.ts';
import type { PolicyPlaceOptions } from '../policy-place.ts';
import { policyPlace } from '../policy-place.ts';
import { readPolicyText } from '../policy-text.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addAttachmentCommands } from '../policy-attachments.ts';
import { addServerOptions } from '../server/server-location.ts';

const getExamples = `
Examples:
  breakwater policy get --repository team/app
  breakwater policy get --registry

  # A user's policies, and one of them
  breakwater policy get --user ci
  breakwater policy get --user ci --name push

  # A role's
  breakwater policy get --role deploy
`;

const setExamples = `
Examples:
  breakwater policy set --repository team/app --file pull.json
  breakwater policy set --user ci --name push < push.json

  # On every repository under a prefix, as with aws ecr set-repository-policy
  for name in $(breakwater repos ls --prefix k8s/ -o name); do
    breakwater policy set --repository "$name" --file file://pull.json
  done
`;

const removeExamples = `
Examples:
  breakwater policy rm --repository team/app
  breakwater policy rm --user ci --name push
`;

const validateExamples = `
Examples:
  breakwater policy validate --file pull.json
  breakwater policy validate --kind identity < push.json

Ends with 2 where something is wrong, each problem with its field and what to write instead.
`;

type Options = ServerOptions & PlaceOptions & PolicyPlaceOptions;

export function addPolicyCommand(program: Command, context: CommandContext): void {
  const policy = program
    .command('policy')
    .summary('policies of users, roles, repositories and registries')
    .description(
      "Shows, sets and checks policies in IAM's language: who may do what in a repository, a registry, or as a user or role.",
    )
    .helpCommand(false);
  addGetCommand(policy, context);
  addSetCommand(policy, context);
  addRemoveCommand(policy, context);
  addValidateCommand(policy, context);
  addAttachmentCommands(policy, context);
}

/** Exactly one of the four says whose policy it is. */
function addWhoseOptions(command: Command): Command {
  return addPlaceOptions(
    command
      .option('--repository <name>', 'the policy of this repository')
      .option('--registry', "the registry's policy")
      .option('--user <name>', 'a policy of this user or robot')
      .option('--role <name>', 'a policy of this role')
      .option('--name <name>', "which of the user's or role's policies"),
  );
}

function addGetCommand(policy: Command, context: CommandContext): void {
  const command = policy
    .command('get')
    .summary('print a policy')
    .description(
      'Prints the text of a policy as it was set; of a user or role without --name the list of them.',
    );
  addServerOptions(addWhoseOptions(addOutputOptions(command)))
    .addHelpText('after', getExamples)
    .action(async (options: Options & OutputOptions) => {
      const { terminal } = context;
      const place = policyPlace(options, { named: false });
      if ((options.user ?? options.role) !== undefined && options.name === undefined) {
        const list = await askServer<Listing<IdentityPolicyView>>(place, options, terminal);
        return printList(terminal, options, list, identityLook);
      }
      const answer = await askServer<{ policy: string } | Listing<IdentityPolicyView>>(
        place,
        options,
        terminal,
      );
      const found = 'items' in answer ? answer.items[0] : answer;
      const { output } = options;
      if (output === 'json' || output === 'yaml') return printValue(terminal, output, found);
      const text = found?.policy ?? '';
      terminal.out(text.endsWith('\n') ? text : `${text}\n`);
    });
}

function addSetCommand(policy: Command, context: CommandContext): void {
  const command = addFileOption(
    policy
      .command('set')
      .summary('set a policy')
      .description(
        'Sets the policy of a repository or registry, or puts one of a user or role, in place of what was there.',
      ),
  );
  addServerOptions(addWhoseOptions(command))
    .addHelpText('after', setExamples)
    .action(async (options: Options & { readonly file?: string }) => {
      const { path, query } = policyPlace(options, { named: true });
      const policy = await readPolicyText(options.file, context.terminal);
      const { warnings } = await validate({ kind: kindOf(options), policy }, options, context);
      const body = { ...query, policy };
      await askServer({ method: 'PUT', path, body }, options, context.terminal);
      for (const each of warnings) remark(command, context, `warning: ${sentenceOf(each)}`);
      remark(command, context, 'set; it holds for the next request');
    });
}

function addRemoveCommand(policy: Command, context: CommandContext): void {
  const command = policy
    .command('rm')
    .summary('delete a policy')
    .description('Deletes the policy of a repository or registry, or one of a user or role.');
  addServerOptions(addWhoseOptions(command))
    .addHelpText('after', removeExamples)
    .action(async (options: Options) => {
      const place = policyPlace(options, { named: true });
      await askServer({ method: 'DELETE', ...place }, options, context.terminal);
      remark(command, context, 'deleted; the next request is decided without it');
    });
}

function addValidateCommand(policy: Command, context: CommandContext): void {
  const command = addFileOption(
    policy
      .command('validate')
      .summary('check the text of a policy')
      .description('Says everything that is wrong with a text, without setting it.')
      .addOption(
        new Option('--kind <kind>', 'where it would stand')
          .choices(['identity', 'repository', 'registry', 'trust'])
          .default('repository'),
      ),
  );
  addServerOptions(addOutputOptions(command))
    .addHelpText('after', validateExamples)
    .action(
      async (
        options: ServerOptions & OutputOptions & { readonly file?: string; readonly kind: string },
      ) => {
        const { terminal } = context;
        const policy = await readPolicyText(options.file, terminal);
        const found = await validate({ kind: options.kind, policy }, options, context);
        const { output } = options;
        if (output === 'json' || output === 'yaml') {
          await printValue(terminal, output, found);
          if (!found.valid) context.end('usage');
          return;
        }
        if (!found.valid) throw invalid(found);
        for (const each of found.warnings) remark(command, context, `warning: ${sentenceOf(each)}`);
        terminal.out('valid\n');
      },
    );
}

function validate(
  body: { readonly kind: string; readonly policy: string },
  options: ServerOptions,
  { terminal }: CommandContext,
): Promise<PolicyValidation> {
  const request = { method: 'POST', path: 'policies/validate', body } as const;
  return askServer<PolicyValidation>(request, options, terminal);
}

function kindOf({ user, role, registry }: PolicyPlaceOptions): string {
  if (user !== undefined || role !== undefined) return 'identity';
  return registry === undefined ? 'repository' : 'registry';
}

function sentenceOf({ field, value, what, fix }: PolicyProblem): string {
  const where = field === '' ? 'the policy' : field;
  return `${where}${value === '' ? '' : ` ${value}`}: ${what}; ${fix}`;
}

function invalid({ problems }: PolicyValidation): CommandFailure {
  return new CommandFailure('the policy is invalid', {
    exit: 'usage',
    code: 'POLICY_INVALID',
    problems: problems.map(sentenceOf),
  });
}

const identityLook: Look<IdentityPolicyView> = {
  name: (each) => each.name,
  columns: [
    { header: 'NAME', value: (each) => each.name },
    { header: 'OF', value: (each) => each.user ?? `role/${each.role ?? ''}` },
    { header: 'UPDATED', value: (each) => each.updatedAt },
  ],
};

function addFileOption(command: Command): Command {
  return command.option(
    '--file <file>',
    'the text: a path, file://path as aws has it, or - for stdin',
    '-',
  );
}
