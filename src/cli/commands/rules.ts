import type { Command } from 'commander';
import type { Listing, RuleVerification, RuleView } from '../../contract/admin-view.ts';
import type { CommandContext } from '../command-context.ts';
import type { ExitName } from '../exit-codes.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList } from '../terminal/output.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';
import { formatSeconds } from '../terminal/unit-words.ts';

const verifyMs = 120_000;

const listExamples = `
Examples:
  breakwater rules ls
  breakwater rules ls -o wide

  # The prefixes alone
  breakwater rules ls -o name
`;

const verifyExamples = `
Examples:
  # Every rule: can its upstream be reached, and does it take the credential?
  breakwater rules verify

  # One rule
  breakwater rules verify docker.io

Ends with 5 where no URL answers, with 7 where some do.
`;

type Options = OutputOptions & ServerOptions;

export function addRulesCommand(program: Command, context: CommandContext): void {
  const rules = program
    .command('rules')
    .summary('show and check the rules')
    .description('Shows and checks the rules in force.')
    .helpCommand(false);
  addListCommand(rules, context);
  addVerifyCommand(rules, context);
}

function addListCommand(rules: Command, context: CommandContext): void {
  const command = rules
    .command('ls')
    .summary('list the rules in force')
    .description('Lists the rules in force: those of the configuration, then the built-in ones.');
  addServerOptions(addOutputOptions(command))
    .addHelpText('after', listExamples)
    .action(async (options: Options) => {
      const list = await askServer<Listing<RuleView>>({ path: 'rules' }, options, context.terminal);
      await printList(context.terminal, options, list, ruleLook);
    });
}

const ruleLook: Look<RuleView> = {
  name: (rule) => rule.prefix,
  columns: [
    { header: 'PREFIX', value: (rule) => rule.prefix },
    { header: 'UPSTREAM', value: (rule) => rule.upstream },
    { header: 'ORIGIN', value: (rule) => rule.origin },
    { header: 'CREDENTIAL', value: (rule) => rule.credential ?? '-' },
    { header: 'ANONYMOUS', value: (rule) => (rule.anonymousPull ? 'yes' : 'no') },
    { header: 'FRESH-FOR', value: (rule) => formatSeconds(rule.freshForSeconds) },
    { header: 'STATE', value: (rule) => rule.state },
    { header: 'MIRRORS', value: (rule) => joined(rule.mirrors), wide: true },
    { header: 'UPSTREAM-PREFIX', value: (rule) => rule.upstreamPrefix || '-', wide: true },
    { header: 'PLATFORMS', value: (rule) => joined(rule.platforms), wide: true },
    { header: 'ALLOW', value: (rule) => joined(rule.allow), wide: true },
    { header: 'DENY', value: (rule) => joined(rule.deny), wide: true },
  ],
};

function addVerifyCommand(rules: Command, context: CommandContext): void {
  const command = rules
    .command('verify [prefix]')
    .summary('ask every upstream of the rules')
    .description('Asks every URL of the rules, or of one, with its credential: GET /v2/.');
  addServerOptions(addOutputOptions(command))
    .addHelpText('after', verifyExamples)
    .action(async (prefix: string | undefined, options: Options) => {
      const list = await askServer<Listing<RuleVerification>>(
        { method: 'POST', path: 'rules/verify', body: { prefix }, deadlineMs: verifyMs },
        options,
        context.terminal,
      );
      await printList(context.terminal, options, list, verifyLook);
      context.end(exitOf(list.items));
    });
}

const verifyLook: Look<RuleVerification> = {
  name: (found) => `${found.prefix} ${found.url}`,
  columns: [
    { header: 'PREFIX', value: (found) => found.prefix },
    { header: 'URL', value: (found) => found.url },
    { header: 'RESULT', value: (found) => (found.ok ? 'ok' : 'failed') },
    { header: 'TIME', value: (found) => `${found.durationMs}ms` },
    { header: 'CAUSE', value: (found) => found.failure?.message ?? '-' },
    { header: 'KIND', value: (found) => found.failure?.kind ?? '-', wide: true },
  ],
};

function exitOf(found: readonly RuleVerification[]): ExitName {
  const broken = found.filter((one) => !one.ok).length;
  if (broken === 0) return 'ok';
  return broken === found.length ? 'upstream' : 'partial';
}

function joined(texts: readonly string[]): string {
  return texts.length === 0 ? '-' : texts.join(',');
}
