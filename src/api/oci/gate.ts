import { anonymousCaller } from '../../access/access.ts';
import type {
  Authorizer,
  Caller,
  Identifier,
  PullRights,
  Question,
  Verdict,
} from '../../access/access.ts';
import { requestFrom } from '../../access/identify/request-from.ts';
import { actions } from '../../domain/policy/access-action.ts';
import type { Action, ScopeRight } from '../../domain/policy/access-action.ts';
import { RegistryError } from '../../domain/errors.ts';
import { isAllowed } from '../../domain/rules/name-pattern.ts';
import { hostInName, noRuleForHost } from '../../domain/rules/no-rule.ts';
import type { PullTarget } from '../../domain/rules/pull-rule.ts';
import { registryOf } from '../../domain/names/registry.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { Incoming } from '../../http/reply.ts';
import type { Metadata, StoredRepository } from '../../metadata/contract/metadata.ts';
import type { RepositoryPlan } from './plan.ts';
import type { ContentRoute } from './route.ts';
import type { Listener } from './target.ts';

/** Who is asking, and may they: asked before the cache, which knows nothing of it. */
export interface Gate {
  /** Throws `unauthorized` for wrong credentials. On a mirror request and on the Hub listener unknown ones are nobody's. */
  identify(
    request: Incoming,
    from: { readonly mirror: boolean; readonly ecr: boolean },
  ): Caller | Promise<Caller>;
  /** The same for credentials that came in a form instead of a header. */
  identifyAs(authorization: string, request: Incoming): Caller | Promise<Caller>;
  /** Answers where the pull is allowed: true where what is not held may be fetched for it too. Throws otherwise. Without waiting where all is known. */
  admitPull(
    plan: RepositoryPlan<ContentRoute>,
    caller: Caller,
    request: Incoming,
  ): boolean | Promise<boolean>;
  /** Settles when all of the actions are allowed, and making the repository too where it is missing and `makes` is set. */
  admit(
    plan: RepositoryPlan,
    caller: Caller,
    request: Incoming,
    options: { readonly actions: readonly Action[]; readonly makes: boolean },
  ): Promise<void>;
  /** Whether all of the actions are allowed, silently: for what can be done in a lesser way. */
  mayDo(
    plan: RepositoryPlan,
    caller: Caller,
    request: Incoming,
    wanted: readonly Action[],
  ): Promise<boolean>;
  /** Whether what is new may be fetched from upstream for a push that names it. A refusal is told to the audit: it keeps the push from being stored. */
  mayImport(plan: RepositoryPlan, caller: Caller, request: Incoming): Promise<boolean>;
  /**
   * Whether the caller may take a blob from another repository. Throws `unauthorized` where its token alone is in the way, with
   * the `source` that the challenge then asks for.
   */
  mayMount(
    source: { readonly registry: RegistryKey; readonly repository: RepositoryName },
    caller: Caller,
    request: Incoming,
  ): Promise<boolean>;
  /** Whether another repository may be read by this caller, within the scopes of its token and the rule's patterns, silently: a mount's source, a listing's entry. */
  mayRead(
    source: {
      readonly registry: RegistryKey;
      readonly repository: RepositoryName;
      /** Where it has just been read. */
      readonly row?: StoredRepository;
    },
    action: Action,
    caller: Caller,
    request: Incoming,
  ): Promise<boolean>;
  /** What a caller that may fetch nothing new is told when something is not held: the error as it reads, told to the audit too. */
  notImported(
    plan: RepositoryPlan<ContentRoute>,
    caller: Caller,
    request: Incoming,
  ): Promise<RegistryError>;
}

export interface GateOptions {
  readonly listener: Listener;
  readonly identifier: Identifier;
  readonly authorizer: Authorizer;
  readonly metadata: Pick<Metadata, 'findRepository' | 'findAccount'>;
  readonly home: () => RegistryKey;
  /** Where a repository of the home registry leads by its name. */
  readonly targetOf: (repository: RepositoryName) => PullTarget | undefined;
}

export function createGate(options: GateOptions): Gate {
  const { listener, identifier, authorizer, metadata } = options;
  const mayRead: Gate['mayRead'] = async (source, action, caller, request) => {
    const { registry, repository, row } = source;
    // Rules are the home registry's.
    const target = registry === options.home() ? options.targetOf(repository) : undefined;
    const rule = target?.rule;
    if (rule !== undefined && !isAllowed(rule, target?.upstreamRepository ?? '', undefined))
      return false;
    const question = { caller, action, registry, repository, rule, from: requestFrom(request) };
    return (await authorizer.explain(question, row)).allowed;
  };

  const requireRights = async (plan: RepositoryPlan, question: Question): Promise<void> => {
    const verdict = await authorizer.may(question);
    if (!verdict.allowed) await refuse(options, plan, { question, verdict });
  };

  return {
    identify: (request, { mirror, ecr }) => {
      const header = request.headers.authorization;
      if (header === undefined || listener === 'hub') return anonymousCaller;
      return identifier.identify(header, requestFrom(request), { mirror, basicOnly: ecr });
    },
    identifyAs: (authorization, request) =>
      identifier.identify(authorization, requestFrom(request), { mirror: false }),
    admitPull: (plan, caller, request) => {
      const question = questionOf(plan, caller, request, pullActionOf(plan.route));
      const rights = rightsToPull(options, question, request.method);
      const settle = (known: PullRights): boolean | Promise<boolean> =>
        known.pulls.allowed
          ? mayImport(options, question, known)
          : refuse(options, plan, { question, verdict: known.pulls });
      return rights instanceof Promise ? rights.then(settle) : settle(rights);
    },
    admit: async (plan, caller, request, { actions: wanted, makes }) => {
      for (const action of wanted)
        await requireRights(plan, questionOf(plan, caller, request, action));
      if (!makes) return;
      const { registry, target } = plan;
      const row = await metadata.findRepository({ registry, repository: target.repository });
      if (row === undefined)
        await requireRights(plan, questionOf(plan, caller, request, actions.createRepository));
    },
    mayDo: async (plan, caller, request, wanted) => {
      for (const action of wanted) {
        if (!(await authorizer.explain(questionOf(plan, caller, request, action))).allowed)
          return false;
      }
      return true;
    },
    mayImport: async (plan, caller, request) =>
      (await authorizer.may(questionOf(plan, caller, request, actions.importUpstream))).allowed,
    mayRead,
    mayMount: async (source, caller, request) => {
      if (await mayRead(source, actions.getBlob, caller, request)) return true;
      const unlimited = withoutRequestScopes(caller);
      if (unlimited === caller || !(await mayRead(source, actions.getBlob, unlimited, request)))
        return false;
      throw new RegistryError(
        'unauthorized',
        'the token was not made for the source of the mount',
        {
          detail: { error: 'insufficient_scope', source: source.repository },
        },
      );
    },
    notImported: (plan, caller, request) => notImported(options, plan, caller, request),
  };
}

interface Refusal {
  readonly question: Question;
  readonly verdict: Verdict;
}

/** Throws what a caller without the right is told: no more than it may see. */
async function refuse(
  options: GateOptions,
  plan: RepositoryPlan,
  { question, verdict: { because } }: Refusal,
): Promise<never> {
  const { listener, authorizer } = options;
  if (listener === 'hub') throw new RegistryError('nameUnknown', 'repository unknown', { because });
  const { caller, action } = question;
  if (caller.scopes !== undefined && caller.via === 'bearer') {
    const unlimited = { ...question, caller: withoutRequestScopes(caller) };
    if ((await authorizer.explain(unlimited)).allowed) {
      throw new RegistryError('unauthorized', 'the token was not made for this', {
        detail: { error: 'insufficient_scope', action },
        because,
      });
    }
  }
  const host = hostWithoutRule(plan, action, options.home());
  if (caller.principal.kind === 'anonymous')
    throw await refuseAnonymous(options, plan, { caller, host, because });
  const reads = { ...question, action: actions.getManifest };
  const visible = action !== actions.getManifest && (await authorizer.explain(reads)).allowed;
  if (!visible) throw host === undefined ? repositoryUnknown(plan, because) : noRule(host, because);
  throw new RegistryError('denied', `${action} is not allowed here`, {
    detail: { action, repository: plan.target.repository },
    because,
  });
}

/** The same for what is hidden and for what is not there. */
async function refuseAnonymous(
  { metadata, home }: GateOptions,
  plan: RepositoryPlan,
  {
    caller,
    host,
    because,
  }: { readonly caller: Caller; readonly host: string | undefined; readonly because: string },
): Promise<RegistryError> {
  // A mirror asks for a registry by its host: one that is not here is no secret.
  const foreign = plan.route.ns !== undefined && plan.registry !== home();
  if (foreign && (await metadata.findAccount(registryOf(plan.registry).account)) === undefined)
    return new RegistryError('nameUnknown', 'no such registry', { because });
  if (host === undefined) return loginNeeded(caller, 'authentication is needed for this', because);
  // Who has shown nothing yet may have a login for a repository of such a name.
  return caller.via === 'bearer'
    ? noRule(host, because)
    : loginNeeded(caller, noRuleForHost(host), because);
}

/** A 401 for anonymous. No other token helps one that has shown an anonymous token: clients that are told so stop, and say it. */
function loginNeeded(caller: Caller, message: string, because: string): RegistryError {
  const anonymousToken = { detail: { error: 'insufficient_scope', principal: 'anonymous' } };
  return new RegistryError('unauthorized', message, {
    ...(caller.via === 'bearer' ? anonymousToken : {}),
    because,
  });
}

function noRule(host: string, because: string): RegistryError {
  return new RegistryError('nameUnknown', noRuleForHost(host), { detail: { host }, because });
}

/** The registry that a pull means by its name and no rule leads to. Under such a name one may push. */
function hostWithoutRule(
  { registry, target }: RepositoryPlan,
  action: Question['action'],
  home: RegistryKey,
): string | undefined {
  if (!pullActions.has(action) || registry !== home || target.rule !== undefined) return undefined;
  return hostInName(target.repository);
}

const pullActions: ReadonlySet<Question['action']> = new Set([
  actions.getManifest,
  actions.getBlob,
  actions.checkBlob,
  actions.listTags,
]);

async function notImported(
  { listener, authorizer, metadata }: GateOptions,
  plan: RepositoryPlan<ContentRoute>,
  caller: Caller,
  request: Incoming,
): Promise<RegistryError> {
  const imports = await authorizer.may(questionOf(plan, caller, request, actions.importUpstream));
  const { because } = imports.allowed
    ? await authorizer.may(questionOf(plan, caller, request, actions.createRepository))
    : imports;
  if (listener === 'main' && caller.principal.kind === 'anonymous')
    return loginNeeded(
      caller,
      'authentication is needed to fetch what is new (anonymousImport)',
      because,
    );
  const { registry, target } = plan;
  const row = await metadata.findRepository({ registry, repository: target.repository });
  // Docker writes it into its log before it goes on to Docker Hub itself.
  if (listener === 'hub') {
    const message = 'not here yet, and nothing new is fetched for other machines (anonymousImport)';
    return new RegistryError(row === undefined ? 'nameUnknown' : 'manifestUnknown', message, {
      because,
    });
  }
  if (row === undefined) return repositoryUnknown(plan, because);
  return new RegistryError('manifestUnknown', 'Requested image not found', { because });
}

/** Whether what is new may be fetched. Missing rights to import are no denial: what is held is still served. */
function mayImport(
  { metadata }: GateOptions,
  { registry, repository, rule }: Question,
  { imports, makes }: PullRights,
): boolean | Promise<boolean> {
  if (rule === undefined || repository === undefined) return true;
  if (!imports.allowed) return false;
  if (makes.allowed) return true;
  return metadata.findRepository({ registry, repository }).then((row) => row !== undefined);
}

/** HEAD of a blob is either right's; only the last one refused is a denial. */
function rightsToPull(
  { authorizer }: GateOptions,
  question: Question,
  method: string,
): PullRights | Promise<PullRights> {
  if (question.action !== actions.getBlob || method !== 'HEAD')
    return authorizer.pullRights(question);
  const reads = authorizer.explain(question);
  const settle = ({ allowed }: Verdict): PullRights | Promise<PullRights> =>
    authorizer.pullRights(allowed ? question : { ...question, action: actions.checkBlob });
  return reads instanceof Promise ? reads.then(settle) : settle(reads);
}

/** A registry token's own scopes left out: the limits of the credential behind it stay. */
function withoutRequestScopes(caller: Caller): Caller {
  return caller.via === 'bearer' ? { ...caller, scopes: caller.credentialScopes } : caller;
}

/** The rights that a client should ask a token for. */
export function rightsOf(route: RepositoryPlan['route'], method: string): readonly ScopeRight[] {
  if (method === 'DELETE' && route.kind !== 'upload') return ['delete'];
  const reads = method === 'GET' || method === 'HEAD';
  return reads && route.kind !== 'upload' ? ['pull'] : ['pull', 'push'];
}

/** What a pull is asked of the policies as. */
export function pullActionOf(route: ContentRoute): Action {
  switch (route.kind) {
    case 'manifest':
    case 'referrers':
      return actions.getManifest;
    case 'blob':
      return actions.getBlob;
    case 'tags':
      return actions.listTags;
  }
}

function questionOf(
  plan: RepositoryPlan,
  caller: Caller,
  request: Incoming,
  action: Action,
): Question {
  const { registry, target } = plan;
  return {
    caller,
    action,
    registry,
    repository: target.repository,
    rule: target.rule,
    from: requestFrom(request),
  };
}

/** Reads the same for what is hidden and for what is not there (ECR's words, which its users search for). */
export function repositoryUnknown(
  plan: Pick<RepositoryPlan, 'registry' | 'target'>,
  because?: string,
): RegistryError {
  const { account } = registryOf(plan.registry);
  const { repository } = plan.target;
  return new RegistryError(
    'nameUnknown',
    `The repository with name '${repository}' does not exist in the registry with id '${account}'`,
    { detail: { repository, registryId: account }, ...(because === undefined ? {} : { because }) },
  );
}
