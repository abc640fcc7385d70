import type { PullRule } from './pull-rule.ts';

const identities = new WeakMap<PullRule, string>();

/**
 * Where a rule's content comes from, and as whom, as one text that stays the same over restarts and reloads: its id (its prefix
 * where it has none), the upstream it leads to, its credential's name, user and account, its role, and the holder of its client certificate. Records of what
 * came through a rule hang on it, so that a rule that leads elsewhere begins with nothing. A token or a certificate that is
 * renewed for the same account, a mirror, and settings of how it is fetched change nothing; neither token nor key is in it.
 */
export function ruleIdentity(rule: PullRule): string {
  const known = identities.get(rule);
  if (known !== undefined) return known;
  const upstream = `${rule.urls[0].origin}/${rule.upstreamPrefix}`;
  const identity = `${ruleName(rule)} ${upstream}${asWhom(rule)}`;
  identities.set(rule, identity);
  return identity;
}

/** The upstream of a rule by its identity: URL and prefix there. */
export function upstreamOf(identity: string): string | undefined {
  return identity.split(' ')[1];
}

/** Tells a rule from every other that is in force: by its id, which other registries' rules of its prefix don't share, else by the prefix. */
export function ruleName({ id, prefix }: Pick<PullRule, 'id' | 'prefix'>): string {
  return id ?? prefix;
}

const memoryKeys = new WeakMap<PullRule, string>();

/** Under which a process remembers what was heard through a rule: its identity, and which of its changes was the last. */
export function ruleMemoryKey(rule: PullRule): string {
  const { revision } = rule;
  if (revision === undefined) return ruleIdentity(rule);
  const known = memoryKeys.get(rule);
  if (known !== undefined) return known;
  const key = `${ruleIdentity(rule)} #${revision}`;
  memoryKeys.set(rule, key);
  return key;
}

/** Empty for a rule that asks as nobody. Begins with a space. */
export function asWhom({ credential, clientCert, role }: PullRule): string {
  const certificate =
    clientCert === undefined ? '' : ` with the certificate of ${clientCert.holder ?? ''}`;
  if (credential === undefined) return certificate;
  const { name, username, account } = credential;
  const login = ` as ${encodeURIComponent(name)}:${encodeURIComponent(username)}`;
  const assumed = role === undefined ? '' : ` by the role ${encodeURIComponent(role)}`;
  return `${login}${account === undefined ? '' : ` of ${account}`}${assumed}${certificate}`;
}
