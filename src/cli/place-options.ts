import type { Command } from 'commander';

/** Which account is meant, where it is not the caller's own. */
export interface AccountOptions {
  readonly account?: string;
}

export function addAccountOption(
  command: Command,
  description = "the account, instead of the caller's own",
): Command {
  return command.option('--account <id>', description);
}

/** As the API takes it. */
export function accountOf({ account }: AccountOptions): Readonly<Record<string, string>> {
  return account === undefined ? {} : { account };
}

/** Which registry is meant, where it is not the caller's own at home. */
export interface PlaceOptions extends AccountOptions {
  readonly region?: string;
}

export function addPlaceOptions(command: Command): Command {
  return addAccountOption(command).option(
    '--region <region>',
    'the region, instead of the first of the configuration',
  );
}

/** As the API takes it. */
export function placeOf({ region, ...account }: PlaceOptions): Readonly<Record<string, string>> {
  return {
    ...accountOf(account),
    ...(region === undefined ? {} : { region }),
  };
}

/** Whose keys, tokens or policies are meant. */
export interface OwnerOptions extends AccountOptions {
  readonly user?: string;
}

export function addOwnerOptions(command: Command): Command {
  return addAccountOption(
    command.option('--user <name>', 'the user or robot, instead of the caller'),
    "their account, instead of the caller's own; without --user its root",
  );
}

/** As the API takes it. */
export function ownerOf({ user, ...account }: OwnerOptions): Readonly<Record<string, string>> {
  return {
    ...accountOf(account),
    ...(user === undefined ? {} : { user }),
  };
}
