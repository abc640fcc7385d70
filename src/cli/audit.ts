import type { Command } from 'commander';
import type { AuditView } from '../domain/access-view.ts';
import type { CommandContext } from './command-context.ts';
import type { Look, OutputOptions } from './output.ts';
import { addOutputOptions, printList } from './output.ts';
import type { LimitOptions } from './pages.ts';
import { addLimitOption, askPages } from './pages.ts';
import type { AccountOptions } from './place-options.ts';
import { accountOf, addAccountOption } from './place-options.ts';
import type { ServerOptions } from './server-location.ts';
import { addServerOptions } from './server-location.ts';

const entriesStandard = 100;

const examples = `
Examples:
  breakwater audit ls
  breakwater audit ls --account 111122223333
  breakwater audit ls --limit 1000 -o json | jq '.items[] | select(.kind == "denial")'
`;

export function addAuditCommand(program: Command, context: CommandContext): void {
  const audit = program
    .command('audit')
    .summary('what was changed and what was denied')
    .description("Shows the audit; the server's operator alone may.")
    .helpCommand(false);
  const command = audit
    .command('ls')
    .summary('list changes, denials and logins')
    .description(
      'Lists changes, denials and failed logins, the newest first: who, what, from where, and the request.',
    );
  addAccountOption(command, 'of the registries of this account alone');
  addServerOptions(addLimitOption(addOutputOptions(command), entriesStandard))
    .addHelpText('after', examples)
    .action(async (options: OutputOptions & ServerOptions & LimitOptions & AccountOptions) => {
      const request = { path: 'audit', query: accountOf(options) };
      const list = await askPages<AuditView>(request, options, context.terminal);
      await printList(context.terminal, options, list, look);
    });
}

const look: Look<AuditView> = {
  name: (each) => String(each.id),
  columns: [
    { header: 'AT', value: (each) => each.at },
    { header: 'KIND', value: (each) => each.kind },
    { header: 'OUTCOME', value: (each) => each.outcome },
    { header: 'PRINCIPAL', value: (each) => each.principal },
    { header: 'ACTION', value: (each) => each.action },
    { header: 'RESOURCE', value: (each) => each.resource || '-' },
    { header: 'ADDRESS', value: (each) => each.address || '-' },
    { header: 'COUNT', value: (each) => String(each.count) },
    { header: 'REGISTRY', value: (each) => each.registry, wide: true },
    { header: 'REQUEST', value: (each) => each.requestId || '-', wide: true },
    { header: 'DETAIL', value: (each) => describeDetail(each.detail), wide: true },
  ],
};

function describeDetail(detail: AuditView['detail']): string {
  const parts = Object.entries(detail).map(([key, value]) => `${key}=${value}`);
  return parts.join(' ') || '-';
}
