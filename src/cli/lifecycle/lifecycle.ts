import type { Command } from 'commander';
import type {
  LifecycleCheckView,
  LifecycleExplanationView,
  LifecyclePolicyView,
} from '../../contract/lifecycle-view.ts';
import type { Listing } from '../../contract/admin-view.ts';
import { CommandFailure } from '../command-failure.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import type { PlaceOptions } from '../place-options.ts';
import { addPlaceOptions, placeOf } from '../place-options.ts';
import { readPolicyText } from '../policy-text.ts';
import { repeatable } from '../repeatable.ts';
import type { LimitOptions } from '../server/pages.ts';
import { addLimitOption, askPages } from '../server/pages.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList, printText, printValue } from '../terminal/output.ts';

/** Of one page: it is evaluated over all images of the repository. */
const explainMs = 150_000;
const explainedDefault = 100;

const checkExamples = `
Examples:
  breakwater lifecycle check policy.json
  breakwater lifecycle check - < policy.json

Ends with 2 where something is wrong, each problem with its field and what to write instead.
`;

const explainExamples = `
Examples:
  breakwater lifecycle explain team/app
  breakwater lifecycle explain team/app --image v1.2 --image latest

  # What a policy would do that is not set
  breakwater lifecycle explain team/app --file policy.json --limit 1000
`;

const setExamples = `
Examples:
  breakwater lifecycle set team/app --file policy.json
  breakwater lifecycle set team/app < policy.json
`;

const getExamples = `
Examples:
  breakwater lifecycle get team/app > policy.json
`;

const removeExamples = `
Examples:
  breakwater lifecycle rm team/app
`;

type Options = ServerOptions & PlaceOptions;

interface FileOptions {
  readonly file?: string;
}

export function addLifecycleCommand(program: Command, context: CommandContext): void {
  const lifecycle = program
    .command('lifecycle')
    .summary('which images expire')
    .description(
      "Checks, shows and sets lifecycle policies of repositories, in ECR's language, and says what they make of each image.",
    )
    .helpCommand(false);
  addCheckCommand(lifecycle, context);
  addExplainCommand(lifecycle, context);
  addGetCommand(lifecycle, context);
  addSetCommand(lifecycle, context);
  addRemoveCommand(lifecycle, context);
}

function addCheckCommand(lifecycle: Command, context: CommandContext): void {
  const command = lifecycle
    .command('check <file>')
    .summary('say what a policy means')
    .description(
      'Says what the text of a lifecycle policy means, rule by rule in the order in which they are applied, and what it says in vain; or everything that is wrong with it.',
    );
  addServerOptions(addOutputOptions(command))
    .addHelpText('after', checkExamples)
    .action(async (file: string, options: ServerOptions & OutputOptions) => {
      const { terminal } = context;
      const found = await check(await readPolicyText(file, terminal), options, context);
      const { output } = options;
      if (!found.valid) {
        if (output !== 'json' && output !== 'yaml') throw invalid(found);
        context.end('usage');
      }
      const names = (): string => found.rules.map(({ priority }) => String(priority)).join('\n');
      await printText(terminal, options, found, { name: names, text: () => wordsOf(found) });
    });
}

function wordsOf({ rules }: LifecycleCheckView): string {
  return rules
    .flatMap(({ priority, description, meaning, warnings }) => [
      `rule ${priority} ${meaning}${description === null ? '' : ` (${description})`}`,
      ...warnings.map((warning) => `  warning: ${warning}`),
    ])
    .map((line) => `${line}\n`)
    .join('');
}

function addExplainCommand(lifecycle: Command, context: CommandContext): void {
  const command = lifecycle
    .command('explain <repository>')
    .summary('say why each image goes or stays')
    .description(
      "Says what the repository's lifecycle policy, or the one of --file, makes of each image now and why, the youngest first. Nothing is changed.",
    )
    .option('--file <file>', 'another policy: a path, file://path, or - for stdin')
    .option('--image <reference>', 'this tag or digest alone; repeatable', repeatable);
  addServerOptions(addPlaceOptions(addLimitOption(addOutputOptions(command), explainedDefault)))
    .addHelpText('after', explainExamples)
    .action(async (repository: string, options: Options & OutputOptions & ExplainOptions) => {
      const list = await explainAll(repository, options, context);
      await printList(context.terminal, options, list, look);
      if (list.next !== null)
        remark(command, context, `these are the first ${list.items.length}; --limit shows more`);
    });
}

interface ExplainOptions extends LimitOptions, FileOptions {
  readonly image?: readonly string[];
}

async function explainAll(
  repository: string,
  options: Options & ExplainOptions,
  { terminal }: CommandContext,
): Promise<Listing<LifecycleExplanationView>> {
  const { file, image: images } = options;
  const policy = file === undefined ? undefined : await readPolicyText(file, terminal);
  const body = { repository, ...placeOf(options), policy, images };
  const request = { path: 'lifecycle-policies/explain', body, deadlineMs: explainMs };
  return askPages<LifecycleExplanationView>(request, options, terminal);
}

function addGetCommand(lifecycle: Command, context: CommandContext): void {
  const command = lifecycle
    .command('get <repository>')
    .summary('print a policy')
    .description('Prints the text of a lifecycle policy as it was set.');
  addServerOptions(addPlaceOptions(addOutputOptions(command)))
    .addHelpText('after', getExamples)
    .action(async (repository: string, options: Options & OutputOptions) => {
      const { terminal } = context;
      const query = { repository, ...placeOf(options) };
      const request = { path: 'lifecycle-policy', query };
      const found = await askServer<LifecyclePolicyView>(request, options, terminal);
      const { output } = options;
      if (output === 'json' || output === 'yaml') return printValue(terminal, output, found);
      const { policy } = found;
      terminal.out(policy.endsWith('\n') ? policy : `${policy}\n`);
    });
}

function addSetCommand(lifecycle: Command, context: CommandContext): void {
  const command = lifecycle
    .command('set <repository>')
    .summary('set a policy')
    .description(
      'Sets the lifecycle policy of a repository in place of what was there. It acts for the first time an hour later.',
    )
    .option('--file <file>', 'the text: a path, file://path as aws has it, or - for stdin', '-');
  addServerOptions(addPlaceOptions(command))
    .addHelpText('after', setExamples)
    .action(async (repository: string, options: Options & FileOptions) => {
      const policy = await readPolicyText(options.file, context.terminal);
      const { rules } = await check(policy, options, context);
      const body = { repository, ...placeOf(options), policy };
      const request = { method: 'PUT', path: 'lifecycle-policy', body } as const;
      await askServer(request, options, context.terminal);
      for (const { priority, warnings } of rules)
        for (const each of warnings) remark(command, context, `warning: rule ${priority} ${each}`);
      remark(command, context, 'set; it acts for the first time in an hour');
    });
}

function addRemoveCommand(lifecycle: Command, context: CommandContext): void {
  const command = lifecycle
    .command('rm <repository>')
    .summary('delete a policy')
    .description(
      'Deletes the lifecycle policy of a repository; one that is being carried out stops.',
    );
  addServerOptions(addPlaceOptions(command))
    .addHelpText('after', removeExamples)
    .action(async (repository: string, options: Options) => {
      const query = { repository, ...placeOf(options) };
      const request = { method: 'DELETE', path: 'lifecycle-policy', query } as const;
      await askServer(request, options, context.terminal);
      remark(command, context, 'deleted; no image expires by it any more');
    });
}

function check(
  policy: string,
  options: ServerOptions,
  { terminal }: CommandContext,
): Promise<LifecycleCheckView> {
  const request = { method: 'POST', path: 'lifecycle-policies/check', body: { policy } } as const;
  return askServer<LifecycleCheckView>(request, options, terminal);
}

function invalid({ problems }: LifecycleCheckView): CommandFailure {
  return new CommandFailure('the policy is invalid', {
    exit: 'usage',
    code: 'POLICY_INVALID',
    problems: problems.map(
      ({ field, what, fix }) =>
        `${field === '' ? '' : `${field}: `}${what.replace(/\.$/, '')}; ${fix}`,
    ),
  });
}

const look: Look<LifecycleExplanationView> = {
  name: ({ digest }) => digest,
  columns: [
    { header: 'FATE', value: ({ fate }) => fate },
    { header: 'TAGS', value: ({ tags }) => tags.join(',') || '-' },
    { header: 'DIGEST', value: ({ digest }) => digest },
    { header: 'PUSHED', value: ({ pushedAt }) => pushedAt, wide: true },
    { header: 'BECAUSE', value: ({ because }) => because },
  ],
};
