import type { Command } from 'commander';

/** Which registry is meant, where it is not the caller's own at home. */
export interface PlaceOptions {
  readonly account?: string;
  readonly region?: string;
}

export function addPlaceOptions(command: Command): Command {
  return command
    .option('--account <id>', "the account, instead of the caller's own")
    .option('--region <region>', 'the region, instead of the first of the configuration');
}

/** As the API takes it. */
export function placeOf({ account, region }: PlaceOptions): Readonly<Record<string, string>> {
  return {
    ...(account === undefined ? {} : { account }),
    ...(region === undefined ? {} : { region }),
  };
}

/** Whose keys, tokens or policies are meant. */
export interface OwnerOptions {
  readonly account?: string;
  readonly user?: string;
}

export function addOwnerOptions(command: Command): Command {
  return command
    .option('--user <name>', 'the user or robot, instead of the caller')
    .option(
      '--account <id>',
      "their account, instead of the caller's own; without --user its root",
    );
}

/** As the API takes it. */
export function ownerOf({ account, user }: OwnerOptions): Readonly<Record<string, string>> {
  return {
    ...(account === undefined ? {} : { account }),
    ...(user === undefined ? {} : { user }),
  };
}
