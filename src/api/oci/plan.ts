import { LRUCache } from 'lru-cache';
import type { Asker } from '../../access/access.ts';
import type { Place } from '../../access/admission/admission.ts';
import { RegistryError } from '../../domain/errors.ts';
import { atMost } from '../../coordination/memory-bound.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { dockerHub, normalizeHost } from '../../domain/names/host-name.ts';
import { formatReference } from '../../domain/names/reference.ts';
import { homeRegistryOf, registryIn } from '../../domain/names/registry.ts';
import type { RegistryKey, RegistrySettings } from '../../domain/names/registry.ts';
import { noRuleForHost, noRuleText } from '../../domain/rules/no-rule.ts';
import type { PullTarget } from '../../domain/rules/pull-rule.ts';
import { targetWithoutRule } from '../../domain/rules/rule-set.ts';
import type { RulesInForce, RulesOf, RuleSet } from '../../domain/rules/rule-set.ts';
import type { ReplyNote } from '../../domain/served.ts';
import type { Incoming } from '../../http/reply.ts';
import { lookupName, parseRoute } from './route.ts';
import type { AskedName, RepositoryRoute, Route } from './route.ts';

/** Which names a listener serves: every rule's, or Docker Hub's at the root. */
export type Listener = 'main' | 'hub';

/** A request to a repository, read and resolved: nothing in it depends on who asks. */
export interface RepositoryPlan<Kind extends RepositoryRoute = RepositoryRoute> {
  readonly route: Kind;
  readonly registry: RegistryKey;
  /** Asked of a host name of ECR's form. */
  readonly ecr: boolean;
  readonly target: PullTarget;
  /** For the access log: what is known before there is an answer. */
  readonly note: ReplyNote;
}

/** A request to a repository and who asks it, which is the asker of every question about rights. */
export interface Asked extends Asker {
  readonly plan: RepositoryPlan;
  readonly request: Incoming;
}

export type Plan =
  | RepositoryPlan
  | {
      readonly route: Exclude<Route, RepositoryRoute>;
      readonly registry: RegistryKey;
      readonly ecr: boolean;
    };

/** Reads requests into plans; throws `RegistryError`. The last ones are kept until the rules or the registries change. */
export type Planner = (request: Incoming) => Plan;

export interface PlannerOptions {
  readonly rules: RulesInForce;
  readonly settings: () => RegistrySettings;
  readonly listener: Listener;
}

const plansMax = 8192;
const keptCharactersMax = 512;

/** A plan, and the rules that it was made by: of the home registry, and of its own. */
interface KeptPlan {
  readonly plan: Plan;
  readonly home: RuleSet;
  readonly own: RuleSet;
  /** Of all rules, when these two were last seen to be in force. */
  stamp: object;
}

export function createPlanner({ rules, settings, listener }: PlannerOptions): Planner {
  const plans = new LRUCache<string, KeptPlan>(atMost(plansMax));
  const readHost = createHostReader(settings);
  let plannedFor: RegistrySettings | undefined;
  return ({ path, query, host: named }) => {
    const registries = settings();
    if (plannedFor !== registries) {
      plans.clear();
      plannedFor = registries;
    }
    const host = readHost(listener === 'hub' ? undefined : named);
    const asked = query === '' ? path : `${path}?${query}`;
    const key = host.ecr ? `${host.registry} ${asked}` : asked;
    const { stamp } = rules;
    const kept = plans.get(key);
    if (kept?.stamp === stamp) return kept.plan;
    const home = rules.of(host.home);
    if (kept !== undefined && kept.home === home && kept.own === rules.of(kept.plan.registry)) {
      kept.stamp = stamp;
      return kept.plan;
    }
    const route = parseRoute(path, query);
    const plan = makePlan(route, host, { rules: rules.of, settings: registries, listener });
    const passing = route.kind === 'upload' || route.kind === 'uploads';
    if (key.length <= keptCharactersMax && !passing)
      plans.set(key, { plan, home, own: rules.of(plan.registry), stamp });
    return plan;
  };
}

export function isRepositoryPlan(plan: Plan): plan is RepositoryPlan {
  return 'target' in plan;
}

/** Of a blob that is asked for otherwise than by its path. */
export function planOfBlob(
  { registry, target }: Place,
  digest: Digest,
  home: RegistryKey,
): RepositoryPlan {
  const name = target.repository;
  const route = { kind: 'blob', before: '', name, ns: undefined, digest } as const;
  const note = noteOf(route, target);
  return { route, registry, ecr: false, target, note: atRegistry(note, registry, home) };
}

interface PlanParts {
  readonly rules: RulesOf;
  readonly settings: RegistrySettings;
  readonly listener: Listener;
}

function makePlan(route: Route, host: HostRegistry, parts: PlanParts): Plan {
  const { home, ecr } = host;
  if (!('name' in route)) return { route, registry: host.registry, ecr };
  const { settings, listener } = parts;
  // A mirror asks with its own name as `ns`: that of an ECR registry which is one of ours, unless a rule stands for it.
  const mirrored =
    route.ns === undefined ||
    parts.rules(home).byHost(route.ns, route.name, route.before) !== undefined
      ? undefined
      : registryOfEcrHost(route.ns, settings);
  const registry = mirrored ?? host.registry;
  const asked = mirrored === undefined ? route : { ...route, ns: undefined };
  const target = resolveTarget(asked, parts.rules(registry), listener);
  const note = noteOf(route, target);
  return {
    route,
    registry,
    ecr,
    target,
    note: atRegistry(note, registry, home),
  };
}

function atRegistry(note: ReplyNote, registry: RegistryKey, home: RegistryKey): ReplyNote {
  return registry === home ? note : { ...note, registry };
}

function noteOf(route: RepositoryRoute, target: PullTarget): ReplyNote {
  return {
    route: route.kind,
    repository: target.repository,
    ...(target.rule === undefined ? {} : { rule: target.rule.prefix }),
    ...(route.ns === undefined ? {} : { ns: route.ns }),
    ...referenceOf(route),
  };
}

function referenceOf(route: RepositoryRoute): Pick<ReplyNote, 'reference' | 'digest'> {
  switch (route.kind) {
    case 'manifest':
      return { reference: formatReference(route.reference) };
    case 'blob':
    case 'referrers':
      return { reference: route.digest, digest: route.digest };
    case 'uploads':
    case 'upload':
      return route.digest === undefined ? {} : { digest: route.digest };
    case 'tags':
      return {};
  }
}

/** The rule and repository of a request; `nameUnknown` for a host that no rule stands for, which is never dialled. */
function resolveTarget(asked: AskedName, rules: RuleSet, listener: Listener): PullTarget {
  if (listener === 'hub') return resolveHubTarget(asked, rules);
  if (asked.ns !== undefined)
    return rules.byHost(asked.ns, asked.name, asked.before) ?? unknown(asked);
  const name = lookupName(asked);
  return rules.byPath(name) ?? targetWithoutRule(name) ?? unknown(asked);
}

/** Only Docker Hub, however the name is spelled: an unknown name asked here never reaches another upstream. */
function resolveHubTarget(asked: AskedName, rules: RuleSet): PullTarget {
  if (asked.before !== '') return unknown(asked);
  const target = rules.byHost(asked.ns ?? dockerHub, asked.name);
  if (target === undefined) return unknown(asked);
  // Rules that lead Docker Hub's names elsewhere, and those for one repository of it, stand for it here too.
  if (normalizeHost(asked.ns ?? dockerHub) === dockerHub) return target;
  const hub = rules.byHost(dockerHub, 'library/hub');
  return target.rule === hub?.rule ? target : unknown(asked);
}

function unknown(asked: AskedName): never {
  const { ns } = asked;
  const message = ns === undefined ? noRuleText(lookupName(asked)) : noRuleForHost(ns);
  throw new RegistryError('nameUnknown', message, {
    detail:
      ns === undefined ? { name: lookupName(asked) } : { name: asked.name, ns: ns.slice(0, 255) },
  });
}

/** The registry that a host name means, and whether it is a name of ECR's form. */
interface HostRegistry {
  readonly home: RegistryKey;
  readonly registry: RegistryKey;
  readonly ecr: boolean;
}

const ecrHost = /^(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]{1,64})\.[a-z0-9.-]{1,200}(?::\d{1,5})?$/;
const ecrMark = /\.dkr\.ecr/i;
const hostsMax = 1000;
const hostCharactersMax = 300;

/** A host of the form `<account>.dkr.ecr.<region>.<domain>` selects a registry; a region that is no registry of its own is home (ARCHITECTURE.md, "Registries, accounts and rights"). */
function registryOfEcrHost(
  host: string,
  { regions, registryId }: RegistrySettings,
): RegistryKey | undefined {
  const match = ecrHost.exec(host.toLowerCase());
  if (match === null) return undefined;
  const [, account = registryId, asked = ''] = match;
  return registryIn({ regions }, { account, region: asked });
}

/** The registry of a request's Host; every other form of host is home. */
function createHostReader(
  settings: () => RegistrySettings,
): (host: string | undefined) => HostRegistry {
  const known = new LRUCache<string, HostRegistry>(atMost(hostsMax));
  let readUnder: RegistrySettings | undefined;
  let atHome: HostRegistry | undefined;
  return (host) => {
    const current = settings();
    if (atHome === undefined || readUnder !== current) {
      known.clear();
      readUnder = current;
      const home = homeRegistryOf(current);
      atHome = { home, registry: home, ecr: false };
    }
    if (host === undefined || host.length > hostCharactersMax || !ecrMark.test(host)) return atHome;
    const kept = known.get(host);
    if (kept !== undefined) return kept;
    const registry = registryOfEcrHost(host, current);
    const { home } = atHome;
    const read = registry === undefined ? atHome : { home, registry, ecr: true };
    known.set(host, read);
    return read;
  };
}
