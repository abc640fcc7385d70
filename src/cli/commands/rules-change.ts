import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import type { DeletedRule, RuleValidation, RuleView } from '../../contract/admin-view.ts';
import { parseDuration } from '../../config/schema/duration.ts';
import type { CommandFailure } from '../command-failure.ts';
import { usageFailure } from '../command-failure.ts';
import type { CommandContext } from '../command-context.ts';
import { remark } from '../command-context.ts';
import type { PlaceOptions } from '../place-options.ts';
import { addPlaceOptions, placeOf } from '../place-options.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';
import { repeatable } from '../repeatable.ts';
import { deleteEach } from '../several.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printOne } from '../terminal/output.ts';

const validateMs = 30_000;

const createExamples = `
Examples:
  # k8s/pause:3.10 is pause:3.10 of registry.k8s.io
  breakwater rules create k8s registry.k8s.io

  # With a secret, by its name or ARN
  breakwater rules create docker-hub registry-1.docker.io --credential ecr-pullthroughcache/docker-hub

  # One team's names at the upstream, asked at every pull
  breakwater rules create base ghcr.io --upstream-prefix team/base --fresh-for 0s
`;

const setExamples = `
Examples:
  breakwater rules set k8s --fresh-for 1h --platforms linux/amd64,linux/arm64

  # A pull stops where upstream says 401 or 403
  breakwater rules set docker-hub --on-failure denied=stop

  # As it is where nothing is said
  breakwater rules set k8s --default freshFor,platforms
`;

const removeExamples = `
Examples:
  breakwater rules rm k8s

What came through a rule stays, and is served as it is. Where a built-in rule has the prefix, it is in force again.
`;

const validateExamples = `
Examples:
  breakwater rules validate docker-hub

Ends with 5 where the upstream does not answer as it should, or the secret is not right.
`;

type Options = ServerOptions & PlaceOptions;

interface SettingOptions {
  readonly credential?: string;
  readonly role?: string;
  readonly freshFor?: number;
  readonly staleBudget?: number;
  readonly onFailure?: Readonly<Record<string, string>>;
  readonly platforms?: string | readonly string[];
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly push?: boolean;
  readonly anonymousPull?: boolean;
}

/** What `--default` takes back, as the API calls it. */
const defaults: Readonly<Record<string, string>> = {
  anonymousPull: 'anonymousPull',
  freshFor: 'freshForSeconds',
  staleBudget: 'staleBudgetMs',
  onFailure: 'onFailure',
  platforms: 'platforms',
  push: 'push',
  allow: 'allow',
  deny: 'deny',
};

export function addRuleCreateCommand(
  rules: Command,
  context: CommandContext,
  look: Look<RuleView>,
): void {
  const command = rules
    .command('create <prefix> <upstream>')
    .summary('make a rule')
    .description(
      'Makes a rule: names that begin with the prefix come from the upstream. Nobody is asked for it.',
    )
    .option('--upstream-prefix <prefix>', 'put before names at the upstream')
    .option(
      '--upstream-registry <kind>',
      'as Amazon ECR calls it; else inferred from the upstream',
    );
  addSettingOptions(addServerOptions(addPlaceOptions(addOutputOptions(command))))
    .addHelpText('after', createExamples)
    .action(
      async (
        prefix: string,
        upstream: string,
        options: Options &
          OutputOptions &
          SettingOptions & { readonly upstreamPrefix?: string; readonly upstreamRegistry?: string },
      ) => {
        const { upstreamPrefix, upstreamRegistry, credential, role } = options;
        const given = { upstreamPrefix, upstreamRegistry, credential, role };
        const body = {
          prefix,
          upstream,
          ...placeOf(options),
          ...given,
          settings: settingsOf(options),
        };
        const made = await askServer<RuleView>(
          { method: 'POST', path: 'rules', body },
          options,
          context.terminal,
        );
        await printOne(context.terminal, options, made, look);
      },
    );
}

export function addRuleSetCommand(
  rules: Command,
  context: CommandContext,
  look: Look<RuleView>,
): void {
  const command = rules
    .command('set <prefix>')
    .summary('change a rule')
    .description('Changes the credential or the settings of a rule that was made through an API.')
    .option('--no-credential', 'no secret any more')
    .option(
      '--default <settings>',
      `settings that get their default again: ${Object.keys(defaults).join(', ')}`,
      listOption,
    );
  addSettingOptions(addServerOptions(addPlaceOptions(addOutputOptions(command))))
    .addHelpText('after', setExamples)
    .action(
      async (
        prefix: string,
        options: Options &
          OutputOptions &
          Omit<SettingOptions, 'credential'> & {
            readonly credential?: string | boolean;
            readonly default?: readonly string[];
          },
      ) => {
        const { credential, role, ...others } = options;
        const settings = {
          ...settingsOf(others as SettingOptions),
          ...defaultsOf(options.default),
        };
        const hasSettings = Object.keys(settings).length > 0;
        // Commander's own default of an option that can be denied is true.
        const shown = credential === false ? null : credential === true ? undefined : credential;
        if (!hasSettings && shown === undefined && role === undefined)
          throw usage('say what to set: --credential, --role or one of the settings');
        const body = {
          prefix,
          ...placeOf(options),
          credential: shown,
          role,
          ...(hasSettings ? { settings } : {}),
        };
        const changed = await askServer<RuleView>(
          { method: 'PATCH', path: 'rules', body },
          options,
          context.terminal,
        );
        await printOne(context.terminal, options, changed, look);
      },
    );
}

export function addRuleRemoveCommand(rules: Command, context: CommandContext): void {
  const command = rules
    .command('rm <prefix...>')
    .summary('delete rules')
    .description('Deletes rules that were made through an API.');
  addServerOptions(addPlaceOptions(command))
    .addHelpText('after', removeExamples)
    .action(async (prefixes: readonly string[], options: Options) => {
      await deleteEach(prefixes, {
        command,
        context,
        options,
        requestOf: (prefix) => ({ path: 'rules', query: { prefix, ...placeOf(options) } }),
        after: (prefix, answer) => {
          const { restored } = answer as DeletedRule;
          if (restored === null) return;
          const whose = restored === 'builtin' ? 'built-in' : restored;
          remark(command, context, `the ${whose} rule ${prefix} is in force now`);
        },
      });
    });
}

export function addRuleValidateCommand(rules: Command, context: CommandContext): void {
  const command = rules
    .command('validate <prefix>')
    .summary("check a rule's secret and upstream")
    .description("Reads a rule's secret and asks its upstream with it: GET /v2/.");
  addServerOptions(addPlaceOptions(addOutputOptions(command)))
    .addHelpText('after', validateExamples)
    .action(async (prefix: string, options: Options & OutputOptions) => {
      const body = { prefix, ...placeOf(options) };
      const found = await askServer<RuleValidation>(
        { method: 'POST', path: 'rules/validate', body, deadlineMs: validateMs },
        options,
        context.terminal,
      );
      await printOne(context.terminal, options, found, validationLook);
      context.end(found.valid ? 'ok' : 'upstream');
    });
}

const validationLook: Look<RuleValidation> = {
  name: (each) => each.prefix,
  columns: [
    { header: 'PREFIX', value: (each) => each.prefix },
    { header: 'VALID', value: (each) => (each.valid ? 'yes' : 'no') },
    { header: 'FAILURE', value: (each) => each.failure ?? '-' },
  ],
};

function addSettingOptions(command: Command): Command {
  return command
    .option('--credential <secret>', "the name or ARN of a secret of the rule's registry")
    .option('--role <arn>', 'the role that a private registry of ECR is asked as')
    .option(
      '--fresh-for <time>',
      'how long a tag is served without asking upstream',
      durationOption,
    )
    .option('--stale-budget <time>', 'how long a pull waits for that', durationOption)
    .option(
      '--on-failure <kind=action>',
      'keep or stop, on notFound, denied, rateLimited, serverError, timeout or network; repeatable',
      failureOption,
    )
    .option('--platforms <list>', 'none, requested, all, or platforms with commas', platformsOption)
    .option('--allow <pattern>', 'what may be pulled; repeatable', repeatable)
    .option('--deny <pattern>', 'what may not be pulled; repeatable', repeatable)
    .option('--push', 'clients may push under the prefix')
    .addOption(new Option('--no-push', 'they may not'))
    .option('--anonymous-pull', 'anyone may pull what the credential fetched')
    .addOption(new Option('--no-anonymous-pull', 'nobody without a policy may'));
}

function settingsOf(options: SettingOptions): Readonly<Record<string, unknown>> {
  const { freshFor, staleBudget, onFailure, platforms, allow, deny, push, anonymousPull } = options;
  const all = {
    freshForSeconds: freshFor === undefined ? undefined : freshFor / 1000,
    staleBudgetMs: staleBudget,
    onFailure,
    platforms,
    allow,
    deny,
    push,
    anonymousPull,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function defaultsOf(names: readonly string[] = []): Readonly<Record<string, null>> {
  return Object.fromEntries(
    names.map((name) => {
      const setting = Object.hasOwn(defaults, name) ? defaults[name] : undefined;
      if (setting === undefined)
        throw usage(`--default takes ${Object.keys(defaults).join(', ')}, not ${name}`);
      return [setting, null];
    }),
  );
}

function durationOption(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('write a time, as 800ms, 30s or 24h.');
  return ms;
}

function failureOption(
  text: string,
  before: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  const [kind = '', action] = text.split('=', 2);
  if (action === undefined) throw new InvalidArgumentError('write it as denied=stop.');
  return { ...before, [kind]: action };
}

function platformsOption(text: string): string | readonly string[] {
  return ['none', 'requested', 'all'].includes(text) ? text : text.split(',');
}

function listOption(text: string): readonly string[] {
  return text.split(',');
}

function usage(message: string): CommandFailure {
  return usageFailure(message, 'breakwater help rules has examples');
}
