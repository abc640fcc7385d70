import { explainFailure, explainLimiter } from '../../cache/explain/explain.ts';
import type {
  RuleVerification,
  RuleView,
  UpstreamCondition,
  UpstreamView,
} from '../../contract/admin-view.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { PullRule, UpstreamUrl } from '../../domain/rules/pull-rule.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Upstream, UpstreamState } from '../../ports/upstream.ts';

const pingMs = 15_000;
const pingsAtOnce = 8;

/** A rule without its secrets. */
export function viewRule(rule: PullRule, upstream: Upstream): RuleView {
  const [first, ...mirrors] = rule.urls;
  return {
    prefix: rule.prefix,
    origin: rule.origin,
    upstream: first?.origin ?? '',
    mirrors: mirrors.map((url) => url.origin),
    upstreamPrefix: rule.upstreamPrefix,
    credential: rule.credential?.name ?? null,
    anonymousPull: rule.anonymousPull,
    freshForSeconds: rule.freshForMs / 1000,
    platforms: typeof rule.platforms === 'string' ? [rule.platforms] : rule.platforms,
    allow: rule.allow,
    deny: rule.deny,
    state: conditionOf(upstream.state(first?.host ?? '', rule)),
  };
}

/** Every host that a rule reads from, mirrors too, in the rules' order. */
export function viewUpstreams(rules: readonly PullRule[], upstream: Upstream): UpstreamView[] {
  const prefixes = new Map<string, string[]>();
  for (const rule of rules)
    for (const { host } of rule.urls) {
      const known = prefixes.get(host);
      if (known === undefined) prefixes.set(host, [rule.prefix]);
      else if (!known.includes(rule.prefix)) known.push(rule.prefix);
    }
  return Array.from(prefixes, ([host, users]) => {
    const state = upstream.state(host);
    return {
      ...(explainLimiter(state) ?? neverAsked(host)),
      upstream: host,
      state: conditionOf(state),
      rules: users,
    };
  });
}

function neverAsked(upstream: string): NonNullable<ReturnType<typeof explainLimiter>> {
  return {
    upstream,
    breaker: 'closed',
    heldUntil: null,
    lastSuccessAt: null,
    lastFailure: null,
    limit: null,
  };
}

function conditionOf(state: UpstreamState | undefined): UpstreamCondition {
  if (state === undefined) return 'unknown';
  if (state.heldUntil !== undefined) return 'rateLimited';
  if (state.breaker === 'open') return 'breakerOpen';
  if (state.last === 'failure') return 'failing';
  return state.last === undefined ? 'unknown' : 'ok';
}

/** Asks every URL of the rules (or of the one with `prefix`) for `/v2/`, eight at once. Throws `nameUnknown` for an unknown prefix. */
export async function verifyRules(
  rules: readonly PullRule[],
  prefix: string | undefined,
  parts: { readonly upstream: Upstream; readonly clock: Clock },
  signal: AbortSignal,
): Promise<RuleVerification[]> {
  const chosen = prefix === undefined ? rules : rules.filter((rule) => rule.prefix === prefix);
  if (prefix !== undefined && chosen.length === 0)
    throw new RegistryError('nameUnknown', `no rule has the prefix ${prefix}`, {
      detail: { hint: 'breakwater rules ls shows the rules' },
    });
  const asked = chosen.flatMap((rule) => rule.urls.map((url) => ({ rule, url })));
  const found: RuleVerification[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < asked.length; index = next++) {
      const { rule, url } = asked[index] as { rule: PullRule; url: UpstreamUrl };
      found[index] = await verifyUrl(rule, url, parts, signal);
    }
  };
  await Promise.all(Array.from({ length: Math.min(pingsAtOnce, asked.length) }, work));
  return found;
}

async function verifyUrl(
  rule: PullRule,
  url: UpstreamUrl,
  parts: { readonly upstream: Upstream; readonly clock: Clock },
  signal: AbortSignal,
): Promise<RuleVerification> {
  const started = parts.clock.elapsed();
  const deadline = AbortSignal.timeout(pingMs);
  const answer = (failure: RuleVerification['failure']): RuleVerification => ({
    prefix: rule.prefix,
    url: url.origin,
    ok: failure === null,
    durationMs: Math.round(parts.clock.elapsed() - started),
    failure,
  });
  try {
    await parts.upstream.ping(rule, url, AbortSignal.any([signal, deadline]));
    return answer(null);
  } catch (error) {
    const failure = explainFailure(error, deadline);
    if (failure === undefined) throw error;
    return answer(failure);
  }
}
