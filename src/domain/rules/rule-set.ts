import { dockerHub, normalizeHost, successorOf } from '../names/host-name.ts';
import { joinNames, underPrefix } from './name-path.ts';
import type { NamingRule, PullRule, PullTarget } from './pull-rule.ts';
import type { RegistryKey } from '../names/registry.ts';
import type { RepositoryName } from '../names/repository-name.ts';
import { parseRepositoryName } from '../names/repository-name.ts';

/** The rules in force, asked by path or by host; the one place that chooses a rule (ARCHITECTURE.md, "Rules and names"). */
export interface RuleSet<Rule extends NamingRule = PullRule> {
  readonly rules: readonly Rule[];
  /** For a name of ours, `docker.io/nginx`: longest prefix, `ROOT` last, aliases applied; `undefined`: no rule leads there (the caller may still hold content of a removed rule under the canonical name). */
  byPath(name: string): PullTarget<Rule> | undefined;
  /**
   * For a name at a host (`ns`, the host of a pulled image): a closed world; `undefined` for an unknown host, never ROOT. `before`: what
   * a mirror's path has before `/v2`, no part of the name; of a rule that stands for the host.
   */
  byHost(host: string, name: string, before?: string): PullTarget<Rule> | undefined;
}

/** The rules in force of a registry; none where it has none. At once, the same object until they change. */
export type RulesOf = (registry: RegistryKey) => RuleSet;

/** The rules of all registries. */
export interface RulesInForce {
  readonly of: RulesOf;
  /** Another object after each change, whichever registry's rules it was of: what was made of all may be kept while it is the same. */
  readonly stamp: object;
}

/** The prefix of the rule that catches what no other prefix matches. */
export const rootPrefix = 'ROOT';

/** The longest prefix: what is left of 255 characters must hold the upstream's names. */
export const prefixCharactersMax = 128;

/** A rule made ready for look-ups. */
interface Entry<Rule extends NamingRule> {
  readonly rule: Rule;
  /** With aliases applied; empty for ROOT. */
  readonly prefix: string;
  /** Its single-component names are `library/` ones. */
  readonly addsLibrary: boolean;
  /** Where the prefix is itself the name of a repository: the canonical local name, and the name upstream. */
  readonly whole: { readonly local: string; readonly upstream: string } | undefined;
}

/** An entry as a candidate for a host: by its upstream a name is looked for under its upstreamPrefix, by its prefix wherever it leads. */
interface Candidate<Rule extends NamingRule> {
  readonly entry: Entry<Rule>;
  readonly by: 'upstream' | 'prefix';
}

interface Index<Rule extends NamingRule> {
  readonly byPrefix: ReadonlyMap<string, Entry<Rule>>;
  /** By the local name of the one repository that a prefix names. */
  readonly byWhole: ReadonlyMap<string, Entry<Rule>>;
  readonly root: Entry<Rule> | undefined;
  readonly prefixCharactersMax: number;
}

/** Of rules with the same prefix the first counts. */
export function createRuleSet<Rule extends NamingRule>(rules: readonly Rule[]): RuleSet<Rule> {
  const entries = distinctEntries(rules);
  const index: Index<Rule> = {
    byPrefix: new Map(
      entries.filter(({ prefix }) => prefix !== '').map((entry) => [entry.prefix, entry]),
    ),
    byWhole: new Map(
      entries.toReversed().flatMap((entry) => (entry.whole ? [[entry.whole.local, entry]] : [])),
    ),
    root: entries.find(({ prefix }) => prefix === ''),
    prefixCharactersMax: Math.max(0, ...entries.map(({ prefix }) => prefix.length)),
  };
  const candidatesByHost = candidatesOf(entries);

  return {
    rules,
    byPath: (name) => resolvePath(index, name),
    byHost(host, name, before = '') {
      const asked = normalizeHost(host);
      const followed = candidatesByHost.has(asked) ? asked : successorOf(asked);
      const candidates = followed === undefined ? undefined : candidatesByHost.get(followed);
      if (followed === undefined || candidates === undefined) return undefined;
      const prefixed = resolvePath(index, before === '' ? name : joinNames(before, name));
      if (
        prefixed?.rule !== undefined &&
        prefixed.rule.prefix !== rootPrefix &&
        (before !== '' || beginsWithHost(prefixed.rule.prefix)) &&
        candidates.some(({ entry }) => entry.rule === prefixed.rule)
      ) {
        return prefixed;
      }
      return before === '' ? resolveAtHost(index, candidates, followed, name) : undefined;
    },
  };
}

/** The one spelling under which a name is held whatever rules there are: aliases of hosts applied, `library/` added for Docker Hub. */
export function canonicalName(name: string): RepositoryName | undefined {
  const headed = withCanonicalHead(name);
  const slash = headed.indexOf('/');
  if (slash < 0) return parseRepositoryName(headed);
  const head = headed.slice(0, slash);
  const rest = headed.slice(slash + 1);
  const library = head === dockerHub && !rest.includes('/') ? 'library/' : '';
  return parseRepositoryName(`${successorOf(head) ?? head}/${library}${rest}`);
}

/** A name that no rule leads to (any more): what is held under it is served, nothing is fetched. `undefined`: no repository's name. */
export function targetWithoutRule(name: string): PullTarget | undefined {
  const repository = canonicalName(name);
  return repository && { rule: undefined, repository, upstreamRepository: repository };
}

function distinctEntries<Rule extends NamingRule>(rules: readonly Rule[]): Entry<Rule>[] {
  const entries = new Map<string, Entry<Rule>>();
  for (const rule of rules) {
    const prefix = rule.prefix === rootPrefix ? '' : withCanonicalHead(rule.prefix);
    if (entries.has(prefix)) continue;
    // With an upstreamPrefix a single component is no official image: `bitnami` + `redis` is `bitnami/redis`.
    const addsLibrary =
      prefix === dockerHub || (rule.upstreamHost === dockerHub && rule.upstreamPrefix === '');
    entries.set(prefix, { rule, prefix, addsLibrary, whole: wholeOf(rule, prefix) });
  }
  return [...entries.values()];
}

/**
 * The repository that a prefix names: upstream it is the rule's upstreamPrefix, or what follows the upstream's own host in the
 * prefix (`quay.io/coreos/etcd` at quay.io). A host alone names none, nor does one part on Docker Hub, which is a namespace.
 */
function wholeOf(
  { upstreamHost, upstreamPrefix }: NamingRule,
  prefix: string,
): Entry<NamingRule>['whole'] {
  const rest = underPrefix(upstreamHost, prefix);
  if (upstreamPrefix === '' && rest === undefined) return undefined;
  const isHub = upstreamHost === dockerHub;
  if (upstreamPrefix !== '') {
    const isHost = !prefix.includes('/') && beginsWithHost(prefix);
    const isNamespace = isHub && !upstreamPrefix.includes('/');
    return prefix === '' || isHost || isNamespace
      ? undefined
      : { local: prefix, upstream: upstreamPrefix };
  }
  const upstream = isHub ? withLibrary(rest ?? '') : (rest ?? '');
  return { local: joinNames(upstreamHost, upstream), upstream };
}

function candidatesOf<Rule extends NamingRule>(
  entries: readonly Entry<Rule>[],
): ReadonlyMap<string, readonly Candidate<Rule>[]> {
  const index = new Map<string, Candidate<Rule>[]>();
  const add = (host: string, candidate: Candidate<Rule>): void => {
    const there = index.get(host);
    if (there === undefined) index.set(host, [candidate]);
    else there.push(candidate);
  };
  for (const entry of entries) {
    const { upstreamHost, urls } = entry.rule;
    add(upstreamHost, { entry, by: 'upstream' });
    // An image named `host:80/…` is at the plain rule's own port.
    if (urls[0].plain && !/:\d+$/.test(upstreamHost))
      add(`${upstreamHost}:80`, { entry, by: 'upstream' });
    if (entry.prefix !== '' && entry.prefix !== upstreamHost && !entry.prefix.includes('/')) {
      add(entry.prefix, { entry, by: 'prefix' });
    }
  }
  // `sort` is stable: what ties stays in the order of the rules, oldest first.
  for (const [host, candidates] of index)
    candidates.sort((a, b) => precedence(a.entry, b.entry, host));
  return index;
}

function precedence(a: Entry<NamingRule>, b: Entry<NamingRule>, host: string): number {
  return (
    Number(a.rule.origin === 'builtin') - Number(b.rule.origin === 'builtin') ||
    b.rule.upstreamPrefix.length - a.rule.upstreamPrefix.length ||
    Number(b.prefix === host) - Number(a.prefix === host) ||
    Number(b.rule.credential !== undefined) - Number(a.rule.credential !== undefined)
  );
}

function resolvePath<Rule extends NamingRule>(
  index: Index<Rule>,
  name: string,
): PullTarget<Rule> | undefined {
  let local = withCanonicalHead(name);
  if (parseRepositoryName(local) === undefined) return undefined;
  const official = officialName(local);
  if (official !== undefined && index.byWhole.has(official)) local = official;
  let entry = ownerOf(index, local);
  if (entry === undefined || entry.prefix === '') {
    const followed = withSuccessorHead(local);
    const next = followed === undefined ? undefined : ownerOf(index, followed);
    if (followed !== undefined && next !== undefined && next.prefix !== '') {
      local = followed;
      entry = next;
    }
  }
  // A `library/` that is added can lead under a longer prefix; each turn makes the name longer, and 255 characters end it.
  while (entry !== undefined) {
    const { rule, whole } = entry;
    const rest = restOf(entry, local);
    // `quay.io/a/b/a/b` of the rule `quay.io/a/b` is the same repository upstream as the prefix itself.
    const again = rule.upstreamPrefix === '' && whole?.upstream === rest;
    if (whole !== undefined && (again || whole.local === local))
      return targetOf(rule, whole.local, whole.upstream);
    if (!entry.addsLibrary || rest.includes('/'))
      return targetOf(rule, local, joinNames(rule.upstreamPrefix, rest));
    local = joinNames(entry.prefix, `library/${rest}`);
    entry = parseRepositoryName(local) === undefined ? undefined : ownerOf(index, local);
  }
  return undefined;
}

/** The first candidate under whose rule the name at the host has a repository of ours that is this rule's own. */
function resolveAtHost<Rule extends NamingRule>(
  index: Index<Rule>,
  candidates: readonly Candidate<Rule>[],
  host: string,
  name: string,
): PullTarget<Rule> | undefined {
  const there = host === dockerHub ? withLibrary(name) : name;
  for (const { entry, by } of candidates) {
    const isWhole = by === 'upstream' && entry.whole?.upstream === there;
    const rest = by === 'prefix' ? there : restAtHost(entry, there);
    if (rest === undefined && !isWhole) continue;
    const local = isWhole ? entry.whole.local : joinNames(entry.prefix, rest ?? '');
    const found = resolvePath(index, local);
    if (found === undefined) continue;
    if (found.rule === entry.rule) {
      if (by === 'prefix' || found.upstreamRepository === there) return found;
    } else if (entry.prefix === host && rest === there && found.rule?.prefix !== rootPrefix) {
      // An operator diverted this part of the host with a longer prefix.
      return found;
    }
  }
  return undefined;
}

/** A name at the upstream's host, without the upstreamPrefix. A prefix that is a part of that host stands for no other part of it. */
function restAtHost({ rule, prefix }: Entry<NamingRule>, there: string): string | undefined {
  const isPart = rule.upstreamPrefix === '' && underPrefix(rule.upstreamHost, prefix) !== undefined;
  return isPart ? undefined : underPrefix(rule.upstreamPrefix, there);
}

function ownerOf<Rule extends NamingRule>(
  index: Index<Rule>,
  name: string,
): Entry<Rule> | undefined {
  const whole = index.byWhole.get(name);
  if (whole !== undefined) return whole;
  let end = name.lastIndexOf('/', index.prefixCharactersMax);
  while (end > 0) {
    const entry = index.byPrefix.get(name.slice(0, end));
    if (entry !== undefined) return entry;
    end = name.lastIndexOf('/', end - 1);
  }
  return index.root;
}

function targetOf<Rule extends NamingRule>(
  rule: Rule,
  local: string,
  upstream: string,
): PullTarget<Rule> | undefined {
  const repository = parseRepositoryName(local);
  const upstreamRepository = parseRepositoryName(upstream);
  if (repository === undefined || upstreamRepository === undefined) return undefined;
  return { rule, repository, upstreamRepository };
}

function restOf(entry: Entry<NamingRule>, name: string): string {
  return entry.prefix === '' ? name : name.slice(entry.prefix.length + 1);
}

function withLibrary(name: string): string {
  return name.includes('/') ? name : `library/${name}`;
}

/** `docker.io/library/nginx` for `docker.io/nginx`; `undefined` for all else. */
function officialName(name: string): string | undefined {
  const rest = underPrefix(dockerHub, name);
  return rest === undefined || rest.includes('/')
    ? undefined
    : joinNames(dockerHub, withLibrary(rest));
}

/** `docker.io/library`, `localhost:5000`: what no component of a registry's own names looks like. */
function beginsWithHost(prefix: string): boolean {
  return /^localhost(?:[:/]|$)|^[^/]*[.:]/.test(prefix);
}

/** A name or a rule's prefix with its host as rules are looked up by it: `docker.io` for `index.docker.io`. */
export function withCanonicalHead(name: string): string {
  const slash = name.indexOf('/');
  const head = slash < 0 ? name : name.slice(0, slash);
  // Names have no capitals: those of a host are folded for `ns` alone.
  if (!head.includes('.') || /[A-Z]/.test(head)) return name;
  const canonical = normalizeHost(head);
  return canonical === head ? name : canonical + name.slice(head.length);
}

function withSuccessorHead(name: string): string | undefined {
  const slash = name.indexOf('/');
  const successor = slash < 0 ? undefined : successorOf(name.slice(0, slash));
  return successor === undefined ? undefined : successor + name.slice(slash);
}
