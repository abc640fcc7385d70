import type { Command } from 'commander';
import type { Listing, RuleVerification, RuleView } from '../../contract/admin-view.ts';
import type { CommandContext } from '../command-context.ts';
import type { ExitName } from '../exit-codes.ts';
import type { PlaceOptions } from '../place-options.ts';
import { addPlaceOptions, placeOf } from '../place-options.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList } from '../terminal/output.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';
import { formatSeconds } from '../terminal/unit-words.ts';
import {
  addRuleCreateCommand,
  addRuleRemoveCommand,
  addRuleSetCommand,
  addRuleValidateCommand,
} from './rules-change.ts';

const verifyMs = 120_000;

const listExamples = `
Examples:
  breakwater rules ls
  breakwater rules ls -o wide

  # The prefixes alone
  breakwater rules ls -o name
`;

const getExamples = `
Examples:
  breakwater rules get docker.io -o yaml
`;

const verifyExamples = `
Examples:
  # Every rule: can its upstream be reached, and does it take the credential?
  breakwater rules verify

  # One rule
  breakwater rules verify docker.io

Ends with 5 where no URL answers, with 7 where some do.
`;

type Options = OutputOptions & ServerOptions & PlaceOptions;

export function addRulesCommand(program: Command, context: CommandContext): void {
  const rules = program
    .command('rules')
    .summary('which prefix stands for which upstream')
    .description('Lists, makes, changes, checks and deletes rules.')
    .helpCommand(false);
  addListCommand(rules, context);
  addGetCommand(rules, context);
  addRuleCreateCommand(rules, context, look);
  addRuleSetCommand(rules, context, look);
  addRuleRemoveCommand(rules, context);
  addRuleValidateCommand(rules, context);
  addVerifyCommand(rules, context);
}

function addListCommand(rules: Command, context: CommandContext): void {
  const command = rules
    .command('ls')
    .summary('list the rules')
    .description(
      'Lists the rules of a registry: those of the configuration, those made through an API, the built-in ones; SHADOWED-BY says whose rule of the same prefix is in force instead.',
    );
  addServerOptions(addPlaceOptions(addOutputOptions(command)))
    .addHelpText('after', listExamples)
    .action(async (options: Options) => {
      await printList(context.terminal, options, await askRules(options, context), look);
    });
}

function addGetCommand(rules: Command, context: CommandContext): void {
  const command = rules
    .command('get <prefix>')
    .summary('show the rules of a prefix')
    .description('Shows the rule of a prefix, and those that it keeps out of force.');
  addServerOptions(addPlaceOptions(addOutputOptions(command)))
    .addHelpText('after', getExamples)
    .action(async (prefix: string, options: Options) => {
      await printList(context.terminal, options, await askRules(options, context, prefix), look);
    });
}

async function askRules(
  options: Options,
  { terminal }: CommandContext,
  prefix?: string,
): Promise<Listing<RuleView>> {
  const request = { path: 'rules', query: { ...placeOf(options), prefix } };
  return await askServer<Listing<RuleView>>(request, options, terminal);
}

const ruleColumns: Look<RuleView>['columns'] = [
  { header: 'PREFIX', value: (rule) => rule.prefix },
  { header: 'UPSTREAM', value: (rule) => rule.upstream },
  { header: 'ORIGIN', value: (rule) => rule.origin },
  { header: 'SHADOWED-BY', value: (rule) => rule.shadowedBy ?? '-' },
  { header: 'CREDENTIAL', value: (rule) => rule.credential ?? '-' },
  { header: 'ANONYMOUS', value: (rule) => (rule.anonymousPull ? 'yes' : 'no') },
  { header: 'FRESH-FOR', value: (rule) => formatSeconds(rule.freshForSeconds) },
  { header: 'STATE', value: (rule) => (rule.problem === null ? rule.state : 'blocked') },
  { header: 'MIRRORS', value: (rule) => joined(rule.mirrors), wide: true },
  { header: 'UPSTREAM-PREFIX', value: (rule) => rule.upstreamPrefix || '-', wide: true },
  { header: 'PUSH', value: (rule) => (rule.push ? 'yes' : 'no'), wide: true },
  { header: 'PLATFORMS', value: (rule) => joined(rule.platforms), wide: true },
  { header: 'ALLOW', value: (rule) => joined(rule.allow), wide: true },
  { header: 'DENY', value: (rule) => joined(rule.deny), wide: true },
  { header: 'PROBLEM', value: (rule) => rule.problem ?? '-', wide: true },
];

const look: Look<RuleView> = { columns: ruleColumns, name: (rule) => rule.prefix };

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
