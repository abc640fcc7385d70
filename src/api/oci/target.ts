import { RegistryError } from '../../domain/errors.ts';
import { dockerHub, normalizeHost } from '../../domain/names/host-name.ts';
import { isAllowed } from '../../domain/rules/name-pattern.ts';
import { noRuleForHost, noRuleText } from '../../domain/rules/no-rule.ts';
import type { PullTarget } from '../../domain/rules/pull-rule.ts';
import type { RuleSet } from '../../domain/rules/rule-set.ts';
import { canonicalName } from '../../domain/rules/rule-set.ts';
import { lookupName } from './route.ts';
import type { AskedName, RepositoryRoute } from './route.ts';

/** Which names a listener serves: every rule's, or Docker Hub's at the root. */
export type Listener = 'main' | 'hub';

/** The rule and repository of a request; `nameUnknown` for a host that no rule stands for, which is never dialled. */
export function resolveTarget(asked: AskedName, rules: RuleSet, listener: Listener): PullTarget {
  if (listener === 'hub') return resolveHubTarget(asked, rules);
  const name = lookupName(asked);
  if (asked.ns !== undefined) return rules.byHost(asked.ns, name) ?? unknown(asked);
  return rules.byPath(name) ?? heldTarget(name) ?? unknown(asked);
}

/** `denied` where the rule's patterns don't admit what is asked, by its reference or by a tag that it is to have; asked for every way in. */
export function requireAllowed(route: RepositoryRoute, target: PullTarget): void {
  const { rule } = target;
  if (rule === undefined || (rule.allow.length === 0 && rule.deny.length === 0)) return;
  const references =
    route.kind === 'manifest'
      ? [route.reference, ...route.tags.map((tag) => ({ kind: 'tag', tag }) as const)]
      : [undefined];
  if (references.every((each) => isAllowed(rule, target.upstreamRepository, each))) return;
  throw new RegistryError('denied', `the rule ${rule.prefix} does not allow this`, {
    detail: { rule: rule.prefix, repository: target.upstreamRepository, field: 'allow, deny' },
  });
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

/** Content of a removed rule stays readable. */
function heldTarget(name: string): PullTarget | undefined {
  const repository = canonicalName(name);
  return repository && { rule: undefined, repository, upstreamRepository: repository };
}

function unknown(asked: AskedName): never {
  const { ns } = asked;
  const message = ns === undefined ? noRuleText(lookupName(asked)) : noRuleForHost(ns);
  throw new RegistryError('nameUnknown', message, {
    detail:
      ns === undefined ? { name: lookupName(asked) } : { name: asked.name, ns: ns.slice(0, 255) },
  });
}
