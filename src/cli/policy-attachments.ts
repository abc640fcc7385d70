import type { Command } from 'commander';
import type { AttachedPolicyView } from '../contract/access-view.ts';
import type { Listing } from '../contract/admin-view.ts';
import { usageFailure } from './command-failure.ts';
import type { CommandContext } from './command-context.ts';
import { remark } from './command-context.ts';
import type { AccountOptions } from './place-options.ts';
import { accountOf, addAccountOption } from './place-options.ts';
import { askServer } from './server/server-client.ts';
import type { ServerOptions } from './server/server-location.ts';
import { addServerOptions } from './server/server-location.ts';
import type { Look, OutputOptions } from './terminal/output.ts';
import { addOutputOptions, printList } from './terminal/output.ts';

const readOnly = 'arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly';

const attachExamples = `
Examples:
  breakwater policy attach ${readOnly} --user ci
  breakwater policy attach arn:aws:iam::000000000000:policy/team --role nodes
`;

const detachExamples = `
Examples:
  breakwater policy detach ${readOnly} --user ci
`;

const attachedExamples = `
Examples:
  breakwater policy attached --user ci
  breakwater policy attached --role nodes -o name
`;

interface HolderOptions extends ServerOptions, AccountOptions {
  readonly user?: string;
  readonly role?: string;
}

/** Managed policies, which stand for themselves: whom they count for. */
export function addAttachmentCommands(policy: Command, context: CommandContext): void {
  addAttachCommand(policy, context);
  addDetachCommand(policy, context);
  addAttachedCommand(policy, context);
}

function addHolderOptions(command: Command): Command {
  return addServerOptions(
    addAccountOption(
      command
        .option('--user <name>', 'of this user or robot')
        .option('--role <name>', 'of this role'),
    ),
  );
}

function holderOf(options: HolderOptions): Readonly<Record<string, string | undefined>> {
  const { user, role } = options;
  if ((user === undefined) === (role === undefined))
    throw usageFailure('say --user or --role', 'breakwater help policy has examples');
  return { user, role, ...accountOf(options) };
}

function addAttachCommand(policy: Command, context: CommandContext): void {
  const command = policy
    .command('attach <arn>')
    .summary('attach a managed policy')
    .description(
      "Attaches a managed policy, one of the account's own or of AWS's for ECR, to a user or role.",
    );
  addHolderOptions(command)
    .addHelpText('after', attachExamples)
    .action(async (arn: string, options: HolderOptions) => {
      const body = { ...holderOf(options), arn };
      const request = { method: 'PUT', path: 'attached-policies', body } as const;
      await askServer(request, options, context.terminal);
      remark(command, context, 'attached; it holds for the next request');
    });
}

function addDetachCommand(policy: Command, context: CommandContext): void {
  const command = policy
    .command('detach <arn>')
    .summary('detach a managed policy')
    .description('Detaches a managed policy from a user or role; the policy stays.');
  addHolderOptions(command)
    .addHelpText('after', detachExamples)
    .action(async (arn: string, options: HolderOptions) => {
      const query = { ...holderOf(options), arn };
      const request = { method: 'DELETE', path: 'attached-policies', query } as const;
      await askServer(request, options, context.terminal);
      remark(command, context, 'detached; the next request is decided without it');
    });
}

function addAttachedCommand(policy: Command, context: CommandContext): void {
  const command = policy
    .command('attached')
    .summary('list the managed policies of a user or role')
    .description('Lists the managed policies that are attached to a user or role.');
  addHolderOptions(addOutputOptions(command))
    .addHelpText('after', attachedExamples)
    .action(async (options: HolderOptions & OutputOptions) => {
      const request = { path: 'attached-policies', query: holderOf(options) };
      const { terminal } = context;
      const list = await askServer<Listing<AttachedPolicyView>>(request, options, terminal);
      await printList(terminal, options, list, attachedLook);
    });
}

const attachedLook: Look<AttachedPolicyView> = {
  name: (each) => each.arn,
  columns: [
    { header: 'ARN', value: (each) => each.arn },
    { header: 'OF', value: (each) => each.user ?? `role/${each.role ?? ''}` },
  ],
};
