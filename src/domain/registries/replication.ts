import { RegistryError } from '../errors.ts';
import type { Registry } from '../names/registry.ts';

/** Where what is pushed is copied to, by rules of which each counts. */
export interface ReplicationConfiguration {
  readonly rules: readonly ReplicationRule[];
}

export interface ReplicationRule {
  readonly destinations: readonly Registry[];
  /** Of repositories; absent: all of them. */
  readonly prefixes?: readonly string[];
  /** Whether deletions are copied too; absent: it was not said, and they are not. */
  readonly deletions?: boolean;
}

const rulesMax = 10;
const destinationsMax = 25;

/** Throws `requestInvalid` for a configuration beyond ECR's quotas, or one that leads to the registry itself: its account, in the region as it was asked. */
export function requireReplication({ rules }: ReplicationConfiguration, own: Registry): void {
  const destinations = rules.flatMap((rule) => rule.destinations);
  const places = new Set(destinations.map(({ account, region }) => `${account}/${region}`));
  if (places.has(`${own.account}/${own.region}`))
    throw refused('Replication destination cannot be the same as the source registry');
  if (rules.length > rulesMax) throw refused(`there are at most ${rulesMax} rules`);
  if (places.size > destinationsMax)
    throw refused(`there are at most ${destinationsMax} destinations in all rules together`);
}

/** Where what is pushed into the repository is copied to, each once. */
export function destinationsOf(
  { rules }: ReplicationConfiguration,
  repository: string,
): readonly Registry[] {
  const found = new Map<string, Registry>();
  for (const { destinations, prefixes } of rules) {
    if (prefixes !== undefined && !prefixes.some((each) => repository.startsWith(each))) continue;
    for (const each of destinations) found.set(`${each.account}/${each.region}`, each);
  }
  return [...found.values()];
}

function refused(why: string): RegistryError {
  return new RegistryError('requestInvalid', `replicationConfiguration: ${why}`, {
    detail: { field: 'replicationConfiguration' },
  });
}
