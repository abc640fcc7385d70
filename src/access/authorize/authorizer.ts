import { LRUCache } from 'lru-cache';
import { atMost } from '../../coordination/memory-bound.ts';
import { actions, scopeRightOf } from '../../domain/policy/access-action.ts';
import type { Action, ScopeRight } from '../../domain/policy/access-action.ts';
import type { AccessDecision, NamedPolicy } from '../../domain/policy/policy.ts';
import { evaluatePolicies } from '../../domain/policy/evaluator.ts';
import { arnOf, describePrincipal } from '../../domain/policy/principal.ts';
import type { RegistrySettings } from '../../domain/names/registry.ts';
import { registryOf, repositoryArn } from '../../domain/names/registry.ts';
import type { StoredRepository } from '../../metadata/contract/rows.ts';
import { matchesGlob } from '../../domain/wildcard.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Invalidations } from '../../ports/invalidations.ts';
import { anonymousCaller } from '../access.ts';
import type { Audit, Authorizer, PullRights, Question, Verdict } from '../access.ts';
import { denialOf } from '../audit/audit-entry.ts';
import type { AnonymousSettings } from './anonymous.ts';
import { admitAnonymous } from './anonymous.ts';
import { conditionContext } from './context.ts';
import { createPolicyDocuments, noPolicies } from './documents.ts';
import type { PolicyDocuments } from './documents.ts';
import type { Facts, FactSource, PolicyMetadata } from './facts.ts';
import { createFacts } from './facts.ts';

const decisionsMax = 20_000;

export interface AuthorizerOptions {
  readonly metadata: PolicyMetadata;
  /** As they are configured now. */
  readonly settings: () => AnonymousSettings &
    Pick<RegistrySettings, 'regions'> & { readonly organizationId?: string };
  readonly clock: Clock;
  readonly audit: Audit;
  readonly invalidations: Pick<Invalidations, 'subscribe'>;
}

/** Decides by policies that are kept in memory; a decision made of the same rows is not made twice. */
export function createAuthorizer(options: AuthorizerOptions): Authorizer {
  const judging = createJudging(options);
  options.invalidations.subscribe((each) => {
    if (each.kind === 'rules' || each.kind === 'secrets') return;
    if (each.kind === 'repository') return judging.facts.forget(each.registry, each.repository);
    judging.facts.reset();
    judging.decide.clear();
    judging.decidePull.clear();
  });
  return {
    may: (question) => may(judging, question),
    pullRights: (question) => pullRights(judging, question),
    explain: (question, row) => explain(judging, question, row),
  };
}

/** What decisions are made of, and what is remembered of them. */
interface Judging {
  readonly facts: FactSource;
  readonly judge: (question: Question, facts: Facts) => Verdict;
  readonly decide: Decisions<Verdict>;
  readonly decidePull: Decisions<PullRights>;
  readonly audit: Audit;
}

function createJudging({ metadata, settings, clock, audit }: AuthorizerOptions): Judging {
  const numberOf = numberObjects();
  const documents = createPolicyDocuments(() => settings().regions);
  const judgeNow = (question: Question, facts: Facts): Verdict =>
    judge(question, withOwnPolicy(question, facts, documents), settings(), clock.now());
  return {
    facts: createFacts(metadata, clock, () => settings().regions),
    judge: judgeNow,
    decide: rememberDecisions(judgeNow, numberOf),
    decidePull: rememberDecisions(
      (question, facts) => judgePull(question, (asked) => judgeNow(asked, facts)),
      numberOf,
    ),
    audit,
  };
}

function may(judging: Judging, question: Question): Verdict | Promise<Verdict> {
  const outside = admitScopes(question);
  if (outside !== undefined) {
    deny(judging, question, outside);
    return outside;
  }
  const settle = (facts: Facts): Verdict => {
    const verdict = judging.decide.of(question, facts);
    if (verdict.allowed) judging.facts.noteUse(question, facts);
    else deny(judging, question, verdict);
    return verdict;
  };
  const facts = judging.facts.gather(question);
  return facts instanceof Promise ? facts.then(settle) : settle(facts);
}

function pullRights(judging: Judging, question: Question): PullRights | Promise<PullRights> {
  const outside = admitScopes(question);
  if (outside !== undefined) {
    deny(judging, question, outside);
    return { pulls: outside, imports: outside, makes: outside };
  }
  const facts = judging.facts.gather(question);
  return facts instanceof Promise
    ? facts.then((gathered) => decidePullNow(judging, question, gathered))
    : decidePullNow(judging, question, facts);
}

function decidePullNow(judging: Judging, question: Question, facts: Facts): PullRights {
  const rights = judging.decidePull.of(question, facts);
  if (!rights.pulls.allowed) deny(judging, question, rights.pulls);
  return rights;
}

function explain(
  { facts, judge: judgeNow, decide }: Judging,
  question: Question,
  row: StoredRepository | undefined,
): Verdict | Promise<Verdict> {
  const outside = admitScopes(question);
  if (outside !== undefined) return outside;
  // A listing asks about each repository once: what is remembered for pulls stays so.
  const settle = (gathered: Facts): Verdict =>
    row === undefined ? decide.of(question, gathered) : judgeNow(question, gathered);
  const gathered = facts.gather(question, row);
  return gathered instanceof Promise ? gathered.then(settle) : settle(gathered);
}

function deny({ audit }: Judging, question: Question, { because }: Verdict): void {
  const { action, registry, repository, resource } = question;
  const subject = { registry, resource: repository ?? resource ?? '' };
  audit.record(denialOf(question, action, subject, because));
}

/** Facts by their numbers alone, so that what is forgotten of them is let go. */
interface Remembered<Decision> {
  readonly repository: number;
  readonly registryPolicy: number;
  readonly identity: number;
  readonly decision: Decision;
}

interface Decisions<Decision> {
  of(question: Question, facts: Facts): Decision;
  clear(): void;
}

/** What was decided of the same rows is not decided again, unless a condition looks at what changes from request to request. */
function rememberDecisions<Decision extends object>(
  decide: (question: Question, facts: Facts) => Decision,
  numberOf: (object: object | undefined) => number,
): Decisions<Decision> {
  const remembered = new LRUCache<string, Remembered<Decision>>(atMost(decisionsMax));
  return {
    of(question, facts) {
      if (!facts.steady || question.resourcePolicy !== undefined || question.trust !== undefined)
        return decide(question, facts);
      const key = decisionKey(question, numberOf);
      const known = remembered.get(key);
      if (known !== undefined && isOf(known, facts)) return known.decision;
      const decision = decide(question, facts);
      remembered.set(key, {
        repository: facts.repository?.number ?? 0,
        registryPolicy: facts.registryPolicy.number,
        identity: facts.identity.number,
        decision,
      });
      return decision;
    },
    clear: () => remembered.clear(),
  };
}

/** Tells callers and rules apart without keeping them. */
function numberObjects(): (object: object | undefined) => number {
  const numbers = new WeakMap<object, number>();
  let last = 0;
  return (object) => {
    if (object === undefined) return 0;
    let number = numbers.get(object);
    if (number === undefined) numbers.set(object, (number = last += 1));
    return number;
  };
}

/** All that a decision depends on beside the facts, where no condition looks at more. */
function decisionKey(
  { caller, action, registry, repository, resource, rule, from }: Question,
  numberOf: (object: object | undefined) => number,
): string {
  return `${numberOf(caller)} ${numberOf(rule)} ${action} ${registry} ${repository ?? ''} ${resource ?? ''} ${from.address} ${from.secure} ${from.isLoopback}`;
}

function isOf(
  known: Remembered<unknown>,
  { repository, registryPolicy, identity }: Facts,
): boolean {
  return (
    known.repository === (repository?.number ?? 0) &&
    known.registryPolicy === registryPolicy.number &&
    known.identity === identity.number
  );
}

/** Its place is among the policies of resources, where a repository's would be. */
function withOwnPolicy(
  { resource = '', resourcePolicy, trust }: Question,
  facts: Facts,
  documents: PolicyDocuments,
): Facts {
  if (trust?.policy !== undefined) {
    const [policy] = documents.read('trust', [
      { name: `trust policy of ${resource}`, text: trust.policy },
    ]).policies;
    return { ...facts, trust: policy };
  }
  if (resourcePolicy === undefined) return facts;
  const own = documents.read('secret', [{ name: `policy of ${resource}`, text: resourcePolicy }]);
  const policies = [...own.policies, ...facts.registryPolicy.policies];
  return { ...facts, registryPolicy: { ...facts.registryPolicy, policies } };
}

/** Reading and changing policies: what lets an administrator out of a policy that names them. */
const policyActions: ReadonlySet<string> = new Set([
  actions.getRepositoryPolicy,
  actions.setRepositoryPolicy,
  actions.deleteRepositoryPolicy,
  actions.getRegistryPolicy,
  actions.putRegistryPolicy,
  actions.deleteRegistryPolicy,
  actions.getSecretPolicy,
  actions.putSecretPolicy,
  actions.deleteSecretPolicy,
]);

/** Who may not pull is asked about nothing else. */
function judgePull(question: Question, judgeOne: (question: Question) => Verdict): PullRights {
  const beside = (action: Action): Verdict => {
    const asked = { ...question, action };
    return admitScopes(asked) ?? judgeOne(asked);
  };
  const pulls = judgeOne(question);
  const imports = pulls.allowed ? beside(actions.importUpstream) : pulls;
  const makes = imports.allowed ? beside(actions.createRepository) : imports;
  return { pulls, imports, makes };
}

function judge(
  question: Question,
  facts: Facts,
  settings: ReturnType<AuthorizerOptions['settings']>,
  now: number,
): Verdict {
  const { principal } = question.caller;
  const { account } = registryOf(question.registry);
  if (
    principal.kind === 'administrator' &&
    principal.account === account &&
    policyActions.has(question.action)
  )
    return {
      allowed: true,
      because: `${describePrincipal(principal)} administers account ${account}: no policy locks it out of policies`,
    };
  const decision = evaluate(question, facts, settings, now);
  if (question.trust !== undefined)
    return { allowed: decision.allowed, because: explainDecision(question, decision) };
  if (principal.kind === 'anonymous')
    return admitAnonymous(question, facts.repository?.row, decision, settings);
  if (decision.allowed || decision.reason === 'explicitDeny')
    return { allowed: decision.allowed, because: explainDecision(question, decision) };
  const asAnonymous: Question = { ...question, caller: anonymousCaller };
  const floor = admitAnonymous(
    asAnonymous,
    facts.repository?.row,
    evaluate(asAnonymous, { ...facts, identity: noPolicies, session: undefined }, settings, now),
    settings,
  );
  return floor.allowed
    ? { allowed: true, because: `as anonymous: ${floor.because}` }
    : { allowed: false, because: explainDecision(question, decision) };
}

function evaluate(
  question: Question,
  facts: Facts,
  { organizationId }: ReturnType<AuthorizerOptions['settings']>,
  now: number,
): AccessDecision {
  const { registry, repository, resource, caller, trust } = question;
  return evaluatePolicies({
    principal: caller.principal,
    action: question.action,
    resource: resource ?? (repository === undefined ? '*' : repositoryArn(registry, repository)),
    resourceAccount: registryOf(registry).account,
    context: conditionContext(question, now, organizationId),
    // Whether they may after all is for `admitAnonymous` to say.
    everyoneIncludesAnonymous: trust === undefined,
    identityPolicies: facts.identity.policies,
    sessionPolicies: facts.session?.policies,
    trustPolicy: trust === undefined ? undefined : (facts.trust ?? trustsNobody),
    federated: trust?.federated,
    resourcePolicies: [...(facts.repository?.policies ?? []), ...facts.registryPolicy.policies],
  });
}

/** Of a role that is not there. */
const trustsNobody: NamedPolicy = {
  name: 'trust policy',
  document: { kind: 'trust', id: undefined, statements: [] },
};

function explainDecision(question: Question, { reason, by }: AccessDecision): string {
  const { principal } = question.caller;
  const who = describePrincipal(principal);
  const { account } = registryOf(question.registry);
  const named = by === undefined ? 'a policy' : `${by.policy}, statement ${by.statement},`;
  switch (reason) {
    case 'explicitDeny':
      return `${named} denies ${question.action} to ${who}`;
    case 'identityAllow':
    case 'resourceAllow':
      return `${named} allows ${question.action} to ${who}`;
    case 'administrator':
      return `${who} administers account ${account}`;
    case 'crossAccount':
      return `${who} is of another account than ${account}: its own policies and one of the repository or registry must both allow ${question.action}${by === undefined ? '' : `; ${by.policy} does`}`;
    case 'sessionLimit':
      return `${named} would allow ${question.action} to ${who}, but the policy of the session does not`;
    case 'noStatement':
      return `no statement of a policy allows ${question.action} to ${arnOf(principal) ?? 'anonymous'}`;
  }
}

/** The refusal where the credential's own scopes leave the question out; `undefined` where they don't. */
function admitScopes(question: Question): Verdict | undefined {
  const { scopes } = question.caller;
  if (scopes === undefined) return undefined;
  const { repository } = question;
  // The password keeps the scopes of what it was made with.
  if (question.action === actions.getAuthorizationToken) return undefined;
  const rights = rightsFor(question);
  const admitted = scopes.some(
    (scope) =>
      rights.some((right) => scope.rights.includes(right)) &&
      (repository === undefined || matchesGlob(scope.repository, repository)),
  );
  if (admitted) return undefined;
  return {
    allowed: false,
    because: `the scopes of the credential leave out ${question.action}${repository === undefined ? '' : ` in ${repository}`}`,
  };
}

/** Any of them is enough. Under a rule a repository is made by the first pull as well as by a push. */
function rightsFor({ action, rule }: Question): readonly ScopeRight[] {
  const ecrAction = ecrActions.get(action);
  const right = ecrAction === undefined ? undefined : scopeRightOf(ecrAction);
  if (right === undefined) return [];
  return action === actions.createRepository && rule !== undefined ? ['pull', right] : [right];
}

const ecrActions: ReadonlyMap<string, (typeof actions)[keyof typeof actions]> = new Map(
  Object.values(actions).map((action) => [action, action]),
);
