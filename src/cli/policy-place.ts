import type { CommandFailure } from './command-failure.ts';
import { usageFailure } from './command-failure.ts';
import type { PlaceOptions } from './place-options.ts';
import { placeOf } from './place-options.ts';

export interface PolicyPlaceOptions {
  readonly repository?: string;
  readonly registry?: boolean;
  readonly user?: string;
  readonly name?: string;
}

/** The endpoint of a policy and what names it there. Throws where the options say none, or several. */
export function policyPlace(
  options: PolicyPlaceOptions & PlaceOptions,
  { named }: { readonly named: boolean },
): { readonly path: string; readonly query: Readonly<Record<string, string | undefined>> } {
  const { repository, registry, user, name, account } = options;
  const said = [repository !== undefined, registry === true, user !== undefined];
  if (said.filter(Boolean).length !== 1)
    throw usage('say one of --repository, --registry and --user');
  if (user === undefined && name !== undefined) throw usage('--name is for policies of a --user');
  if (repository !== undefined)
    return { path: 'repository-policy', query: { repository, ...placeOf(options) } };
  if (user === undefined) return { path: 'registry-policy', query: placeOf(options) };
  if (options.region !== undefined) throw usage("--region is not for a user's policies");
  if (named && name === undefined) throw usage("say with --name which of the user's policies");
  return {
    path: 'identity-policies',
    query: { user, name: name || undefined, account: account || undefined },
  };
}

function usage(message: string): CommandFailure {
  return usageFailure(message, 'breakwater help policy has examples');
}
