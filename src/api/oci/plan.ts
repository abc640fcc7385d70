import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import type { PullTarget } from '../../domain/rules/pull-rule.ts';
import { formatReference } from '../../domain/names/reference.ts';
import type { RegistryKey, RegistrySettings } from '../../domain/names/registry.ts';
import { homeRegistryOf } from '../../domain/names/registry.ts';
import type { RuleSet } from '../../domain/rules/rule-set.ts';
import { createRuleSet } from '../../domain/rules/rule-set.ts';
import type { Incoming, ReplyNote } from '../../http/reply.ts';
import type { HostRegistry } from './registry-host.ts';
import { createHostReader, registryOfEcrHost } from './registry-host.ts';
import { parseRoute } from './route.ts';
import type { RepositoryRoute, Route } from './route.ts';
import { resolveTarget } from './target.ts';
import type { Listener } from './target.ts';

/** A request to a repository, read and resolved: nothing in it depends on who asks. */
export interface RepositoryPlan<Kind extends RepositoryRoute = RepositoryRoute> {
  readonly route: Kind;
  readonly registry: RegistryKey;
  /** Asked of a host name of ECR's form. */
  readonly ecr: boolean;
  readonly target: PullTarget;
  /** As in `PullRequest`: set once it is known that the caller may import nothing. */
  readonly heldOnly?: boolean;
  /** What the log is told of it before there is an answer. */
  readonly note: ReplyNote;
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
  readonly rules: () => RuleSet;
  readonly settings: () => RegistrySettings;
  readonly listener: Listener;
}

const plansMax = 8192;
const keptCharactersMax = 512;
/** Rules are the home registry's. */
const noRules = createRuleSet([]);

export function createPlanner({ rules, settings, listener }: PlannerOptions): Planner {
  const plans = new LRUCache<string, Plan>(atMost(plansMax));
  const readHost = createHostReader(settings);
  let plannedFor: readonly [RuleSet, RegistrySettings] | undefined;
  return ({ path, query, host: named }) => {
    const current = rules();
    const registries = settings();
    if (plannedFor?.[0] !== current || plannedFor[1] !== registries) {
      plans.clear();
      plannedFor = [current, registries];
    }
    const host = readHost(listener === 'hub' ? undefined : named);
    const asked = query === '' ? path : `${path}?${query}`;
    const key = host.ecr ? `${host.registry} ${asked}` : asked;
    const kept = plans.get(key);
    if (kept !== undefined) return kept;
    const route = parseRoute(path, query);
    const plan = makePlan(route, host, { rules: current, settings: registries, listener });
    const passing = route.kind === 'upload' || route.kind === 'uploads';
    if (key.length <= keptCharactersMax && !passing) plans.set(key, plan);
    return plan;
  };
}

export function isRepositoryPlan(plan: Plan): plan is RepositoryPlan {
  return 'target' in plan;
}

interface PlanParts {
  readonly rules: RuleSet;
  readonly settings: RegistrySettings;
  readonly listener: Listener;
}

function makePlan(route: Route, host: HostRegistry, parts: PlanParts): Plan {
  if (!('name' in route)) return { route, ...host };
  const { settings, listener } = parts;
  const home = homeRegistryOf(settings);
  // A mirror asks with its own name as `ns`: that of an ECR registry which is one of ours, unless a rule stands for it.
  const mirrored =
    route.ns === undefined || parts.rules.byHost(route.ns, route.name) !== undefined
      ? undefined
      : registryOfEcrHost(route.ns, settings);
  const registry = mirrored ?? host.registry;
  const rules = registry === home ? parts.rules : noRules;
  const asked = mirrored === undefined ? route : { ...route, ns: undefined };
  const target = resolveTarget(asked, rules, listener);
  const note = noteOf(route, target);
  return {
    route,
    registry,
    ecr: host.ecr,
    target,
    note: registry === home ? note : { ...note, registry },
  };
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
