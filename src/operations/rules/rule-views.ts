import type { BookedRule } from '../../cache/rules/rule-book.ts';
import type { RuleView, UpstreamCondition } from '../../contract/admin-view.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import { registryOf } from '../../domain/names/registry.ts';
import { ruleKindOf } from '../../domain/rules/rule-kind.ts';
import type { PullRuleRow } from '../../metadata/contract/rows.ts';
import type { Upstream, UpstreamState } from '../../ports/upstream.ts';
import { isoTime } from '../page.ts';

/** A rule in the words of whoever made it; times in wall ms, none of a rule of the configuration file. */
export interface MadeRule {
  readonly account: string;
  readonly prefix: string;
  readonly upstreamUrl: string;
  readonly upstreamRegistry: string | undefined;
  readonly upstreamPrefix: string | undefined;
  readonly credentialArn: string | undefined;
  readonly roleArn: string | undefined;
  readonly createdAt: number | undefined;
  readonly updatedAt: number | undefined;
}

/** A rule without its secrets. */
export function viewRule(
  { rule, row, shadowedBy }: BookedRule,
  upstream: Pick<Upstream, 'state'>,
): RuleView {
  const [first, ...mirrors] = rule.urls;
  return {
    prefix: rule.prefix,
    origin: rule.origin,
    shadowedBy: shadowedBy ?? null,
    upstream: first?.origin ?? '',
    mirrors: mirrors.map((url) => url.origin),
    upstreamRegistry: ruleKindOf(first?.host ?? '') ?? null,
    upstreamPrefix: rule.upstreamPrefix,
    credential: row?.credentialArn ?? rule.credential?.name ?? null,
    role: row?.roleArn ?? null,
    anonymousPull: rule.anonymousPull,
    freshForSeconds: rule.freshForMs / 1000,
    staleBudgetMs: rule.staleBudgetMs,
    onFailure: rule.onFailure,
    platforms: typeof rule.platforms === 'string' ? [rule.platforms] : rule.platforms,
    push: rule.push,
    allow: rule.allow,
    deny: rule.deny,
    state: conditionOf(upstream.state(first?.host ?? '', rule)),
    problem: rule.blocked ?? null,
    createdAt: row === undefined ? null : isoTime(row.createdAt),
    updatedAt: row === undefined ? null : isoTime(row.updatedAt),
  };
}

/** In one word, what is known of an upstream. */
export function conditionOf(state: UpstreamState | undefined): UpstreamCondition {
  if (state === undefined) return 'unknown';
  if (state.heldUntil !== undefined) return 'rateLimited';
  if (state.breaker === 'open') return 'breakerOpen';
  if (state.last === 'failure') return 'failing';
  return state.last === undefined ? 'unknown' : 'ok';
}

export function viewMade(registry: RegistryKey, { rule, row }: BookedRule): MadeRule {
  if (row !== undefined) return madeOf(row);
  const [url] = rule.urls;
  return {
    account: registryOf(registry).account,
    prefix: rule.prefix,
    upstreamUrl: (url?.plain === true ? url.origin : url?.host) ?? '',
    upstreamRegistry: ruleKindOf(url?.host ?? ''),
    upstreamPrefix: rule.upstreamPrefix === '' ? undefined : rule.upstreamPrefix,
    credentialArn: undefined,
    roleArn: undefined,
    createdAt: undefined,
    updatedAt: undefined,
  };
}

export function madeOf(row: PullRuleRow): MadeRule {
  return {
    account: registryOf(row.registry).account,
    prefix: row.givenPrefix,
    upstreamUrl: row.upstreamUrl,
    upstreamRegistry: row.upstreamRegistry,
    upstreamPrefix: row.upstreamPrefix,
    credentialArn: row.credentialArn,
    roleArn: row.roleArn,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}
