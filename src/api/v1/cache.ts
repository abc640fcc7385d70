import * as z from 'zod';
import type { Refresh } from '../../cache/explain/refresh.ts';
import type { PullView, VersionView } from '../../contract/admin-view.ts';
import type { RuleSet } from '../../domain/rules/rule-set.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { PullRow } from '../../metadata/contract/rows.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Upstream } from '../../ports/upstream.ts';
import type { Identities } from '../../access/accounts/identities.ts';
import type { ExplainFor } from './explain-callers.ts';
import * as outputs from './cache-outputs.ts';
import type { Endpoint } from './endpoint.ts';
import { endpoint } from './endpoint.ts';
import { fields, nothing } from './input.ts';
import { listOf } from './outputs.ts';
import { readPrincipal } from './named-principal.ts';
import { listing } from './page.ts';
import { verifyRules, viewRule, viewUpstreams } from './rules.ts';

export interface CacheParts {
  readonly rules: () => RuleSet;
  readonly explain: ExplainFor;
  readonly identities: Pick<Identities, 'findPrincipal'>;
  readonly refresh: Refresh;
  readonly upstream: Upstream;
  readonly metadata: Pick<Metadata, 'identities' | 'records'>;
  readonly clock: Clock;
  readonly version: VersionView;
}

const pullsInput = z.strictObject({ limit: fields.limit });
const verifyInput = z.strictObject({ prefix: z.string().min(1).max(255).optional() });

/** What the cache does and whom it asks: the operator's, since rules and upstreams are the server's. */
export function cacheEndpoints(parts: CacheParts): readonly Endpoint[] {
  return [...imageEndpoints(parts), ...ruleEndpoints(parts)];
}

function imageEndpoints(parts: CacheParts): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'explain',
      summary: 'What a pull of an image would do, and why',
      operator: true,
      input: z.strictObject({
        image: fields.image,
        probe: fields.flag,
        as: fields.reference.optional(),
        from: fields.address,
      }),
      output: outputs.explanation,
      answer: async ({ input: { image, probe, as, from }, request, principal }) =>
        parts.explain(
          {
            image,
            probe,
            ...(as === undefined ? {} : { as: await readPrincipal(parts, as, principal.account) }),
            ...(from === undefined ? {} : { from }),
          },
          request.signal,
        ),
    }),
    endpoint({
      method: 'POST',
      path: 'refresh',
      summary: 'Checks a tag upstream now',
      operator: true,
      input: z.strictObject({ image: fields.image }),
      output: outputs.refreshment,
      answer: ({ input, request }) => parts.refresh(input.image, request.signal),
    }),
    endpoint({
      method: 'GET',
      path: 'pulls',
      summary: 'The newest pulls, by hour, client and image',
      operator: true,
      input: pullsInput,
      output: listOf(outputs.pull),
      answer: async ({ input }) =>
        listing((await parts.metadata.records.listPulls(input.limit)).map(viewPull)),
    }),
    endpoint({
      method: 'GET',
      path: 'version',
      summary: 'The version of the server',
      input: nothing,
      output: outputs.version,
      answer: async () => parts.version,
    }),
  ];
}

function ruleEndpoints(parts: CacheParts): readonly Endpoint[] {
  const rulesNow = () => parts.rules().rules;
  return [
    endpoint({
      method: 'GET',
      path: 'rules',
      summary: 'The rules in force',
      operator: true,
      input: nothing,
      output: listOf(outputs.rule),
      answer: async () => listing(rulesNow().map((rule) => viewRule(rule, parts.upstream))),
    }),
    endpoint({
      method: 'POST',
      path: 'rules/verify',
      summary: 'Asks every URL of the rules, or of one',
      operator: true,
      input: verifyInput,
      output: listOf(outputs.verification),
      answer: async ({ input, request }) =>
        listing(await verifyRules(rulesNow(), input.prefix, parts, request.signal)),
    }),
    endpoint({
      method: 'GET',
      path: 'upstreams',
      summary: 'The upstreams, their limits and whether they answer',
      operator: true,
      input: nothing,
      output: listOf(outputs.upstream),
      answer: async () => listing(viewUpstreams(rulesNow(), parts.upstream)),
    }),
  ];
}

function viewPull(row: PullRow): PullView {
  return {
    hour: new Date(row.hour).toISOString(),
    clientAddress: row.clientAddress,
    ns: row.ns,
    image: row.image,
    digest: row.digest ?? null,
    verdict: row.verdict,
    count: row.count,
    lastAt: new Date(row.lastAt).toISOString(),
  };
}
