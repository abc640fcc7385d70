import type { RuleBook } from '../../../src/cache/rules/rule-book.ts';
import type { PullRule } from '../../../src/domain/rules/pull-rule.ts';
import type { RuleSet, RulesOf } from '../../../src/domain/rules/rule-set.ts';
import { createRuleSet } from '../../../src/domain/rules/rule-set.ts';
import { homeRegistry } from '../samples/home-registry.ts';

const none = createRuleSet([]);

/** Rules of the home registry; every other one has none. */
export function rulesOfHome(set: () => RuleSet): RulesOf {
  return (registry) => (registry === homeRegistry ? set() : none);
}

/** Rules of the configuration alone, for which nothing is read. */
export function bookOfHome(rules: readonly PullRule[]): RuleBook {
  const set = createRuleSet(rules);
  const all = rules.map((rule) => ({ rule, shadowedBy: undefined, row: undefined }));
  return {
    inForce: { of: rulesOfHome(() => set), stamp: set },
    all: (registry) => (registry === homeRegistry ? all : []),
    described: () => new Map(),
    settled: () => Promise.resolve(),
    [Symbol.dispose]: () => {},
  };
}
