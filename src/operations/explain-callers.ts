import { anonymousCaller } from '../access/access.ts';
import type { Authorizer, Caller, RequestFrom, Verdict } from '../access/access.ts';
import type { Explain, ExplainRequest } from '../cache/explain/explain.ts';
import { actions } from '../domain/policy/access-action.ts';
import type { Action } from '../domain/policy/access-action.ts';
import type { Explanation } from '../contract/explanation.ts';
import type { PullRule } from '../domain/rules/pull-rule.ts';
import type { RegistryKey } from '../domain/names/registry.ts';
import { parseRepositoryName } from '../domain/names/repository-name.ts';
import type { RulesOf } from '../domain/rules/rule-set.ts';
import { isLoopbackAddress } from '../domain/names/ip-address.ts';
import type { RepositoryMetadata } from '../metadata/contract/metadata.ts';
import { forecastFor, statusOf } from './caller-forecast.ts';

export interface ExplainForRequest extends ExplainRequest {
  /** Who is meant; absent: anonymous. */
  readonly as?: Caller;
  /** From where, an IP address; absent: this machine and another are told apart. */
  readonly from?: string;
}

/** As `Explain`, with what callers would get of it. */
export type ExplainFor = (request: ExplainForRequest, signal: AbortSignal) => Promise<Explanation>;

export interface ExplainForParts {
  readonly explain: Explain;
  readonly authorizer: Pick<Authorizer, 'explain'>;
  readonly metadata: { readonly repositories: Pick<RepositoryMetadata, 'findRepository'> };
  readonly rules: RulesOf;
  readonly home: () => RegistryKey;
}

interface Place {
  readonly words: string;
  readonly address: string;
}

/** Stands for any address that is not this machine's (RFC 5737). */
const elsewhere: Place = { words: 'another machine', address: '192.0.2.1' };
const places: readonly Place[] = [{ words: 'this machine', address: '127.0.0.1' }, elsewhere];

/** Says of a pull what the cache would do, and what this gets the callers that are asked about. */
export function createExplainFor(parts: ExplainForParts): ExplainFor {
  return async ({ as: named, from, ...request }, signal) => {
    const as = named ?? anonymousCaller;
    const found = await parts.explain(request, signal);
    const asked = from === undefined ? places : [{ words: from, address: from }];
    const callers = [];
    for (const { words, address } of asked) {
      const rights = await rightsOf(parts, found, as, address);
      callers.push(forecastFor(found, { principal: as.principal, from: words, ...rights }));
    }
    const isAsked = from !== undefined || named !== undefined;
    const refused = isAsked ? callers.find(({ status }) => status >= 400) : undefined;
    if (refused === undefined || statusOf(found) === refused.status) return { ...found, callers };
    const text = `answered ${refused.status}: ${refused.text}`;
    return { ...found, callers, verdict: { code: 'refused', text } };
  };
}

/** What the registry asks before it answers a pull. */
async function rightsOf(
  { authorizer, metadata, rules, home }: ExplainForParts,
  found: Explanation,
  caller: Caller,
  address: string,
): Promise<{ readonly reads: Verdict; readonly imports: Verdict }> {
  const registry = home();
  const repository = parseRepositoryName(found.repository);
  const rule = ruleOf(rules(registry).rules, found);
  const ask = (action: Action): Verdict | Promise<Verdict> =>
    authorizer.explain({ caller, action, registry, repository, rule, from: requestOf(address) });
  const manifest = await ask(actions.getManifest);
  const reads = manifest.allowed ? await ask(actions.getBlob) : manifest;
  const imports = await ask(actions.importUpstream);
  if (!imports.allowed || repository === undefined) return { reads, imports };
  const makes = await ask(actions.createRepository);
  const isThere =
    (await metadata.repositories.findRepository({ registry, repository })) !== undefined;
  return { reads, imports: isThere ? imports : makes };
}

/** The rule that was found; none for a repository that is this server's own, whatever a rule says to its name. */
function ruleOf(rules: readonly PullRule[], { rule }: Explanation): PullRule | undefined {
  return rule === null ? undefined : rules.find(({ prefix }) => prefix === rule.prefix);
}

function requestOf(address: string): RequestFrom {
  return {
    address,
    secure: true,
    isLoopback: isLoopbackAddress(address),
    userAgent: undefined,
    requestId: '',
  };
}
