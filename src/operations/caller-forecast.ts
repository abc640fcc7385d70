import type { Verdict } from '../access/access.ts';
import type { ExplainedCaller, Explanation, PullForecast } from '../contract/explanation.ts';
import { hostInName, noRuleForHost } from '../domain/rules/no-rule.ts';
import type { Principal } from '../domain/policy/principal.ts';
import { describePrincipal } from '../domain/policy/principal.ts';

/** A caller, and what the policies say to them. */
export interface AskedCaller {
  readonly principal: Principal;
  /** An address, or words for one. */
  readonly from: string;
  /** May they have the manifest and the blobs. */
  readonly reads: Verdict;
  /** May what is not held be fetched for them. */
  readonly imports: Verdict;
}

/** What one caller would get of a pull now, as the registry API answers it. Pure. */
export function forecastFor(found: Explanation, caller: AskedCaller): ExplainedCaller {
  const { principal, from } = caller;
  const who = { as: describePrincipal(principal), from };
  const { status, text } = answerFor(found, caller);
  return { ...who, status, text };
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Of what is decided by the rule and the upstream, whoever asks. */
const statuses: Partial<Record<PullForecast, number>> = {
  noRule: 404,
  denied: 403,
  rateLimited: 429,
  unavailable: 503,
  upstreamMissing: 404,
  upstreamDenied: 403,
  upstreamTimeout: 504,
  upstreamInvalid: 502,
};

function answerFor(found: Explanation, { principal, reads, imports }: AskedCaller): Answer {
  const { verdict, rule } = found;
  // To the anonymous what is hidden, and what is not there, asks for a login.
  const refusal = principal.kind === 'anonymous' ? 401 : 404;
  if (!reads.allowed) {
    const host = rule === null ? hostInName(found.repository) : undefined;
    return host === undefined
      ? { status: refusal, text: reads.because }
      : { status: 404, text: noRuleForHost(host) };
  }
  const status = statusOf(found);
  if (imports.allowed || rule === null || verdict.code === 'noRule' || verdict.code === 'denied')
    return { status, text: verdict.text };
  return heldOnly(found, { status: refusal, text: whyNotFetched(imports) });
}

/** What who may do everything gets. */
export function statusOf({ verdict }: Explanation): number {
  return statuses[verdict.code] ?? 200;
}

/** What is held is served as it is; no upstream is asked for them. */
function heldOnly({ content, tag, stopped, reference }: Explanation, refused: Answer): Answer {
  if (stopped !== null) return { status: 403, text: stopped.reason };
  const isTag = !reference.includes(':');
  if (content.state === 'absent' || (isTag && tag === null))
    return { ...refused, text: `not held, and ${refused.text}` };
  if (isTag && tag?.sourceChanged === true)
    return { ...refused, text: `held from another source than the rule's, and ${refused.text}` };
  if (content.state === 'complete')
    return { status: 200, text: 'served as it is held; upstream is not asked for them' };
  const { manifests, blobs } = content.missing;
  const missing = manifests + blobs;
  return {
    ...refused,
    text: `the manifest is held, ${missing} of what it names ${missing === 1 ? 'is' : 'are'} not, and ${refused.text}`,
  };
}

function whyNotFetched({ because }: Verdict): string {
  if (!because.startsWith('anonymousImport ')) return because;
  return `${because}; set anonymousImport: true to fetch for everyone, or give them a login`;
}
