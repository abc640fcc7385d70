import type { PullRule } from './pull-rule.ts';

/** A rule beside those of its registry. */
export interface RankedRule {
  readonly rule: PullRule;
  /** Whose rule of the same prefix counts instead of it; absent: it is in force. */
  readonly shadowedBy: PullRule['origin'] | undefined;
}

/**
 * All rules of a registry in the order that counts: those of the file, those made through an API, the oldest first, the built-in ones.
 * Of one prefix the first is in force.
 */
export function rankRules(
  configured: readonly PullRule[],
  made: readonly PullRule[],
): readonly RankedRule[] {
  const file = configured.filter(({ origin }) => origin !== 'builtin');
  const builtin = configured.filter(({ origin }) => origin === 'builtin');
  const taken = new Map<string, PullRule['origin']>();
  return [...file, ...made, ...builtin].map((rule) => {
    const shadowedBy = taken.get(rule.prefix);
    if (shadowedBy === undefined) taken.set(rule.prefix, rule.origin);
    return { rule, shadowedBy };
  });
}

export function rulesInForce(ranked: readonly RankedRule[]): readonly PullRule[] {
  return ranked.filter(({ shadowedBy }) => shadowedBy === undefined).map(({ rule }) => rule);
}
