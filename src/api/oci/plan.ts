import { LRUCache } from 'lru-cache';
import type { PullTarget } from '../../domain/pull-rule.ts';
import { formatReference } from '../../domain/reference.ts';
import type { RuleSet } from '../../domain/rule-set.ts';
import type { Incoming, ReplyNote } from '../../http/reply.ts';
import { parseRoute } from './route.ts';
import type { PullRoute, Route } from './route.ts';
import { resolveTarget } from './target.ts';
import type { Listener } from './target.ts';

/** A pull, read and resolved: nothing in it depends on who asks. */
export interface PullPlan<Kind extends PullRoute = PullRoute> {
  readonly route: Kind;
  readonly target: PullTarget;
  /** What the log is told of it before there is an answer. */
  readonly note: ReplyNote;
}

export type Plan = PullPlan | { readonly route: Exclude<Route, PullRoute> };

/** Reads requests into plans; throws `RegistryError`. The last ones are kept until the rules change. */
export type Planner = (request: Incoming) => Plan;

const plansMax = 8192;
const keptCharactersMax = 512;

export function createPlanner(rules: () => RuleSet, listener: Listener): Planner {
  const plans = new LRUCache<string, Plan>({ max: plansMax });
  let plannedFor: RuleSet | undefined;
  return ({ path, query }) => {
    const current = rules();
    if (current !== plannedFor) {
      plans.clear();
      plannedFor = current;
    }
    const key = query === '' ? path : `${path}?${query}`;
    const kept = plans.get(key);
    if (kept !== undefined) return kept;
    const plan = makePlan(path, query, current, listener);
    if (key.length <= keptCharactersMax) plans.set(key, plan);
    return plan;
  };
}

export function isPull(plan: Plan): plan is PullPlan {
  return plan.route.kind !== 'home' && plan.route.kind !== 'base';
}

function makePlan(path: string, query: string, rules: RuleSet, listener: Listener): Plan {
  const route = parseRoute(path, query);
  if (route.kind === 'home' || route.kind === 'base') return { route };
  const target = resolveTarget(route, rules, listener);
  return { route, target, note: noteOf(route, target) };
}

function noteOf(route: PullRoute, target: PullTarget): ReplyNote {
  return {
    route: route.kind,
    repository: target.repository,
    ...(target.rule === undefined ? {} : { rule: target.rule.prefix }),
    ...(route.ns === undefined ? {} : { ns: route.ns }),
    ...referenceOf(route),
  };
}

function referenceOf(route: PullRoute): Pick<ReplyNote, 'reference' | 'digest'> {
  switch (route.kind) {
    case 'manifest':
      return { reference: formatReference(route.reference) };
    case 'blob':
    case 'referrers':
      return { reference: route.digest, digest: route.digest };
    case 'tags':
      return {};
  }
}
