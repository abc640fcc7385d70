import type { CommandFailure } from './command-failure.ts';
import { usageFailure } from './command-failure.ts';
import type { PlaceOptions } from './place-options.ts';
import { placeOf } from './place-options.ts';

export interface PolicyPlaceOptions {
  readonly repository?: string;
  readonly registry?: boolean;
  readonly user?: string;
  readonly role?: string;
  readonly name?: string;
}

/** The endpoint of a policy and what names it there. Throws where the options say none, or several. */
export function policyPlace(
  options: PolicyPlaceOptions & PlaceOptions,
  { named }: { readonly named: boolean },
): { readonly path: string; readonly query: Readonly<Record<string, string | undefined>> } {
  const { repository, registry, user, role, name, account } = options;
  const isIdentity = user !== undefined || role !== undefined;
  const said = [repository, registry || undefined, user, role].map((each) => each !== undefined);
  if (said.filter(Boolean).length !== 1)
    throw usage('say one of --repository, --registry, --user and --role');
  if (!isIdentity && name !== undefined)
    throw usage('--name is for policies of a --user or --role');
  if (repository !== undefined)
    return { path: 'repository-policy', query: { repository, ...placeOf(options) } };
  if (!isIdentity) return { path: 'registry-policy', query: placeOf(options) };
  if (options.region !== undefined) throw usage("--region is not for a user's or role's policies");
  if (named && name === undefined)
    throw usage("say with --name which of the user's or role's policies");
  return {
    path: 'identity-policies',
    query: { user, role, name: name || undefined, account: account || undefined },
  };
}

function usage(message: string): CommandFailure {
  return usageFailure(message, 'breakwater help policy has examples');
}
