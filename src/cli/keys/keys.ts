import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { KeysView, KeyView, RotationView, SealedCount } from '../../contract/keys-view.ts';
import { CommandFailure } from '../command-failure.ts';
import type { CommandContext } from '../command-context.ts';
import { programOptions } from '../command-context.ts';
import type { Look, OutputOptions } from '../terminal/output.ts';
import { addOutputOptions, printList, printValue } from '../terminal/output.ts';
import { askServer } from '../server/server-client.ts';
import type { ServerOptions } from '../server/server-location.ts';
import { addServerOptions } from '../server/server-location.ts';

const askEveryMs = 1000;

const lsExamples = `
Examples:
  # Which key seals, and how much is sealed by older ones
  breakwater keys ls
`;

const rotateExamples = `
Examples:
  # A new key in dataDir/keys, by which everything is sealed anew while the server runs
  breakwater keys rotate

  # Keys of the environment: put the new one before the old, start again, then
  #   export BREAKWATER_KEYS="$(openssl rand -base64 32) $BREAKWATER_KEYS"
  breakwater keys rotate

What breaks off, even by kill -9, is taken up by running it again. The old key stays until nothing is sealed by it and what
it signed has ended (13 hours): ECR passwords, registry tokens, download URLs and page tokens that were given out go on.
`;

type Options = OutputOptions & ServerOptions;

export function addKeysCommand(program: Command, context: CommandContext): void {
  const keys = program
    .command('keys')
    .summary("the server's own keys")
    .description(
      "Shows and rotates the keys that seal access keys' secrets and the values of secrets, and sign tokens; the server's operator alone may.",
    )
    .helpCommand(false);
  addLsCommand(keys, context);
  addRotateCommand(keys, context);
}

function addLsCommand(keys: Command, { terminal }: CommandContext): void {
  const command = keys
    .command('ls')
    .summary('list keys, and how much each has sealed')
    .description(
      'Lists the keys, the one that seals first: where each comes from, and how many access keys and values of secrets it has sealed. No key itself is shown.',
    );
  addServerOptions(addOutputOptions(command))
    .addHelpText('after', lsExamples)
    .action(async (options: Options) => {
      const view = await askServer<KeysView>({ path: 'keys' }, options, terminal);
      if (options.output === 'json' || options.output === 'yaml')
        return printValue(terminal, options.output, view);
      await printList(terminal, options, { items: [...view.keys, ...view.missing] }, look);
    });
}

function addRotateCommand(keys: Command, { terminal }: CommandContext): void {
  const command = keys
    .command('rotate')
    .summary('seal everything by a new key')
    .description(
      'Seals every access key and every value of a secret anew, page by page, while the server runs: by a new key in dataDir/keys, or by the first of those that keys.from gives it.',
    );
  addServerOptions(addOutputOptions(command))
    .addHelpText('after', rotateExamples)
    .action(async (options: Options) => {
      const request = { method: 'POST', path: 'keys/rotate', body: {} } as const;
      let view = await askServer<KeysView>(request, options, terminal);
      let shown = '';
      const signal = terminal.interrupted();
      while (view.rotation !== null && view.rotation.endedAt === null) {
        const now = progressOf(view.rotation);
        if (now !== shown && programOptions(command).quiet !== true) terminal.err(`${now}\n`);
        shown = now;
        await sleep(askEveryMs, undefined, { signal });
        view = await askServer<KeysView>({ path: 'keys' }, options, terminal);
      }
      await finish(view, options, terminal, programOptions(command).quiet === true);
    });
}

async function finish(
  view: KeysView,
  options: Options,
  terminal: CommandContext['terminal'],
  quiet: boolean,
): Promise<void> {
  const { rotation } = view;
  if (options.output === 'json' || options.output === 'yaml')
    await printValue(terminal, options.output, view);
  else await printList(terminal, options, { items: [...view.keys, ...view.missing] }, look);
  if (rotation?.phase !== 'done')
    throw new CommandFailure(rotation?.problem ?? 'the server was started again meanwhile', {
      exit: 'failure',
      code: 'ROTATION_BROKE_OFF',
      hint: 'run breakwater keys rotate again: it goes on where it ended',
    });
  if (rotation.unopened > 0)
    throw new CommandFailure(
      `${rotation.unopened} could not be opened, and stay as they are: ${rotation.unopenedNames.join('; ')}`,
      {
        exit: 'failure',
        code: 'SECRETS_NOT_OPENED',
        hint: 'bring their key back, or delete them and make them anew',
      },
    );
  if (!quiet) terminal.err(`${resultOf(view, rotation)}\n`);
}

function progressOf({ phase, key, resealed }: RotationView): string {
  if (key === null) return 'the keys are read again';
  return phase === 'settling'
    ? `key ${key}: waiting until every process has it`
    : `key ${key}: ${resealed} sealed anew`;
}

function resultOf({ from, keys }: KeysView, { key, madeKey, resealed }: RotationView): string {
  const older = keys.filter(({ seals }) => !seals);
  const sealed = `${resealed} sealed anew by ${madeKey ? 'the new key' : 'key'} ${key ?? ''}`;
  const given = older.filter(({ source }) => source !== 'file');
  if (given.length > 0)
    return `${sealed}; take ${given.map(({ id }) => id).join(', ')} out of where it is given in 13 hours, when what it signed has ended`;
  if (!madeKey && resealed === 0 && from[0] !== 'file')
    return `nothing to do: key ${key ?? ''} has sealed everything; put a new one before it`;
  return older.length === 0
    ? sealed
    : `${sealed}; deleted by the server 13 hours after the last use: ${older.map(({ id }) => id).join(', ')}`;
}

const look: Look<KeyView | SealedCount> = {
  name: ({ id }) => id,
  columns: [
    { header: 'KEY', value: ({ id }) => id },
    { header: 'SOURCE', value: (key) => ('source' in key ? key.source : 'missing') },
    {
      header: 'USE',
      value: (key) => (!('source' in key) ? '-' : key.seals ? 'seals' : 'opens'),
    },
    { header: 'ACCESS KEYS', value: ({ accessKeys }) => String(accessKeys) },
    { header: 'SECRET VALUES', value: ({ secretValues }) => String(secretValues) },
    { header: 'MADE', value: (key) => ('source' in key ? (key.createdAt ?? '-') : '-') },
    {
      header: 'UNUSED SINCE',
      value: (key) => ('source' in key ? (key.supersededAt ?? '-') : '-'),
      wide: true,
    },
  ],
};
