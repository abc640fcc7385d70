import type { Asker } from '../access/access.ts';
import { explainFailure, explainLimiter } from '../cache/explain/explain.ts';
import type { Refresh } from '../cache/explain/refresh.ts';
import type {
  Listing,
  PullView,
  Refreshment,
  RuleVerification,
  UpstreamView,
} from '../contract/admin-view.ts';
import type { Explanation } from '../contract/explanation.ts';
import { eachAtOnce } from '../coordination/each-at-once.ts';
import { RegistryError } from '../domain/errors.ts';
import type { PullRule, UpstreamUrl } from '../domain/rules/pull-rule.ts';
import type { RulesOf } from '../domain/rules/rule-set.ts';
import type { Metadata } from '../metadata/contract/metadata.ts';
import type { PullRow } from '../metadata/contract/rows.ts';
import type { Clock } from '../ports/clock.ts';
import type { Upstream } from '../ports/upstream.ts';
import type { ExplainFor } from './explain-callers.ts';
import { findNamed, readPrincipalName } from './named-principal.ts';
import { isoTime, listing } from './page.ts';
import type { Places } from './places.ts';
import { conditionOf } from './rules/rule-views.ts';

export interface ExplainInput {
  readonly image: string;
  /** One HEAD at the upstream. */
  readonly probe: boolean;
  /** A principal as people write it; absent: anonymous. */
  readonly as?: string | undefined;
  /** An IP address. */
  readonly from?: string | undefined;
}

/**
 * What the cache does and whom it asks. For the operator alone, since rules and upstreams are the server's; that is the front-end's to
 * ask. Each throws `RegistryError`.
 */
export interface CacheViews {
  /** What a pull would do, and what it gets whoever is meant. */
  explain(asker: Asker, input: ExplainInput, signal: AbortSignal): Promise<Explanation>;
  /** Checks a tag upstream now. */
  refresh(image: string, signal: AbortSignal): Promise<Refreshment>;
  /** The newest. */
  pulls(limit: number): Promise<Listing<PullView>>;
  /** Asks every URL of the rules, or of the one with this prefix. */
  verify(prefix: string | undefined, signal: AbortSignal): Promise<Listing<RuleVerification>>;
  upstreams(): Listing<UpstreamView>;
}

export interface CacheViewsParts {
  readonly rules: RulesOf;
  readonly explain: ExplainFor;
  readonly refresh: Refresh;
  readonly places: Pick<Places, 'accountOf' | 'home'>;
  readonly upstream: Upstream;
  readonly metadata: Pick<Metadata, 'identities' | 'roles' | 'records'>;
  readonly clock: Clock;
}

const pingMs = 15_000;
const pingsAtOnce = 8;

export function createCacheViews(parts: CacheViewsParts): CacheViews {
  const { places, metadata, upstream } = parts;
  const rulesNow = (): readonly PullRule[] => parts.rules(places.home).rules;
  return {
    explain: async (asker, { as, from, ...image }, signal) => {
      const named =
        as === undefined ? undefined : readPrincipalName(as, places.accountOf({}, asker));
      const meant = as === undefined ? {} : { as: await findNamed(metadata, named) };
      return parts.explain({ ...image, ...meant, ...(from === undefined ? {} : { from }) }, signal);
    },
    refresh: parts.refresh,
    pulls: async (limit) => listing((await metadata.records.listPulls(limit)).map(viewPull)),
    verify: async (prefix, signal) => listing(await verifyRules(rulesNow(), prefix, parts, signal)),
    upstreams: () => listing(viewUpstreams(rulesNow(), upstream)),
  };
}

function viewPull(row: PullRow): PullView {
  return {
    hour: isoTime(row.hour),
    clientAddress: row.clientAddress,
    ns: row.ns,
    image: row.image,
    digest: row.digest ?? null,
    verdict: row.verdict,
    count: row.count,
    lastAt: isoTime(row.lastAt),
  };
}

/** Every host that a rule reads from, mirrors too, in the rules' order. */
function viewUpstreams(rules: readonly PullRule[], upstream: Upstream): UpstreamView[] {
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
    restsUntil: null,
    heldUntil: null,
    lastSuccessAt: null,
    lastFailure: null,
    limit: null,
  };
}

/** Asks every URL of the rules (or of the one with `prefix`) for `/v2/`, eight at once. Throws `nameUnknown` for an unknown prefix. */
async function verifyRules(
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
  return await eachAtOnce(asked, pingsAtOnce, ({ rule, url }) =>
    verifyUrl(rule, url, parts, signal),
  );
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
