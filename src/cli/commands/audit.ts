import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../../config/schema/duration.ts';
import type { AuditView } from '../../contract/access-view.ts';
import type { CommandContext } from '../command-context.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList } from '../terminal/output.ts';
import type { LimitOptions, Wanted } from '../server/pages.ts';
import { addLimitOption, askPages } from '../server/pages.ts';
import type { AccountOptions } from '../place-options.ts';
import { accountOf, addAccountOption } from '../place-options.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';

const entriesStandard = 100;
const kinds = ['change', 'denial', 'login'];
/** An entry that is older by so much ends the list; where the clock was set back by less, younger ones stand behind older. */
const clockSetBackMs = 3_600_000;

const examples = `
Examples:
  breakwater audit ls
  breakwater audit ls --account 111122223333
  breakwater audit ls --kind denial --since 24h --principal user/ci

  # What is new since entry 4711, for a collector
  breakwater audit ls --after 4711 --limit 100000 -o json | jq -c '.items[]'
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
  addAccountOption(command, 'of the registries of this account alone')
    .addOption(new Option('--kind <kind>', 'of this kind alone').choices(kinds))
    .option('--principal <text>', 'of those alone in whose name or ARN it stands')
    .option('--since <duration>', 'no older than this: 90m, 24h, 7d', parseAge)
    .option('--after <id>', 'of greater ids alone, as they grow', parseId);
  addServerOptions(addLimitOption(addOutputOptions(command), entriesStandard))
    .addHelpText('after', examples)
    .action(async (options: Options) => {
      const wanted = wantedOf(options, Date.now());
      const request = { path: 'audit', query: accountOf(options), wanted };
      const list = await askPages<AuditView>(request, options, context.terminal);
      await printList(context.terminal, options, list, look);
    });
}

interface AuditFilter {
  readonly kind?: string;
  readonly principal?: string;
  /** Milliseconds. */
  readonly since?: number;
  readonly after?: number;
}

type Options = OutputOptions & ServerOptions & LimitOptions & AccountOptions & AuditFilter;

/** `undefined`: all. An entry's own time says whether it is too old, not where it stands: the server's clock may have been set. */
function wantedOf(
  { kind, principal, since, after }: AuditFilter,
  now: number,
): Wanted<AuditView> | undefined {
  if ([kind, principal, since, after].every((option) => option === undefined)) return undefined;
  const from = since === undefined ? -Infinity : now - since;
  return {
    isPast: ({ id, at }) =>
      (after !== undefined && id <= after) || Date.parse(at) < from - clockSetBackMs,
    fits: (entry) =>
      (kind === undefined || entry.kind === kind) &&
      (principal === undefined || entry.principal.includes(principal)) &&
      Date.parse(entry.at) >= from,
  };
}

function parseAge(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new InvalidArgumentError('a duration, such as 90m, 24h or 7d');
}

function parseId(text: string): number {
  const id = Number(text);
  if (/^\d{1,15}$/.test(text)) return id;
  throw new InvalidArgumentError('the id of an entry');
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
