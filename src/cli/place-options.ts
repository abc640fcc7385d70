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

/** As the API takes it: a name without a value is left out. */
type Query = Readonly<Record<string, string | undefined>>;

export function accountOf({ account }: AccountOptions): Query {
  return { account };
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

export function placeOf({ account, region }: PlaceOptions): Query {
  return { account, region };
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

export function ownerOf({ account, user }: OwnerOptions): Query {
  return { account, user };
}
