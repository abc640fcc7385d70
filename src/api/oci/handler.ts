import type { Audit, Caller, Identifier } from '../../access/access.ts';
import type { PolicyAuthorizer } from '../../access/authorize/authorizer.ts';
import type { TokenService } from '../../access/identify/registry-tokens.ts';
import type { VisibleRepositories } from '../../access/authorize/visible-repositories.ts';
import type { Cache } from '../../cache/cache.ts';
import type { MadeRepositories } from '../../cache/memory/made-repositories.ts';
import type { Pushes } from '../../cache/push/pushes.ts';
import { asStorageError } from '../../cache/space/storage-answer.ts';
import { actions } from '../../domain/policy/access-action.ts';
import { RegistryError } from '../../domain/errors.ts';
import { describePrincipal } from '../../domain/policy/principal.ts';
import type { RegistrySettings } from '../../domain/names/registry.ts';
import { homeRegistryOf } from '../../domain/names/registry.ts';
import type { RuleSet } from '../../domain/rules/rule-set.ts';
import { answerOf, UpstreamFailure } from '../../domain/upstream-failure.ts';
import { crossSiteReason } from '../../http/cross-site.ts';
import type { Handler, Incoming, Reply, ReplyNote } from '../../http/reply.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { Clock } from '../../ports/clock.ts';
import { baseReply, homeReply } from './base.ts';
import { pullBlob } from './blobs.ts';
import { catalogReply } from './catalog.ts';
import { changeContent } from './change.ts';
import { createGate, pullActionOf } from './gate.ts';
import type { Gate } from './gate.ts';
import { isManifestPlan, pullManifest, warmManifest } from './manifests.ts';
import { createPlanner, isRepositoryPlan } from './plan.ts';
import type { Plan, Planner, RepositoryPlan } from './plan.ts';
import { listReferrers } from './referrers.ts';
import { answered, namingImage, refusalReply } from './refusal.ts';
import type { ContentRoute } from './route.ts';
import { listTags } from './tags.ts';
import { requireAllowed } from './target.ts';
import type { Listener } from './target.ts';
import { tokenReply } from './token.ts';
import { createToldChanges } from './told-changes.ts';
import type { Asked, ToldChanges } from './told-changes.ts';

export interface OciSettings extends RegistrySettings {
  readonly anonymousPull: boolean;
  /** Empty: the request's Host. */
  readonly publicUrl: string;
}

export interface OciParts {
  /** The rules in force; a new object after each reload. */
  readonly rules: () => RuleSet;
  /** A new object after each reload. */
  readonly settings: () => OciSettings;
  readonly cache: Cache;
  readonly pushes: Pushes;
  readonly metadata: Pick<Metadata, 'findRepository' | 'findAccount'>;
  readonly identifier: Identifier;
  readonly authorizer: PolicyAuthorizer;
  readonly visibleRepositories: VisibleRepositories;
  readonly tokens: TokenService;
  readonly audit: Audit;
  readonly made: Pick<MadeRepositories, 'take'>;
  readonly clock: Clock;
  /** Told of what was answered as an internal error. */
  readonly failed: (error: unknown, requestId: string) => void;
}

/** The registry API of the main listener; every step of it stands in docs/request-handling.md. Never throws. */
export function createOciHandler(parts: OciParts): Handler {
  return createHandler(parts, 'main');
}

/** Docker Hub at the root for Docker's `registry-mirrors`: anonymous, and nothing but Docker Hub. Never throws. */
export function createHubMirrorHandler(parts: OciParts): Handler {
  return createHandler(parts, 'hub');
}

/** The reply to what broke before a body's first byte, for the server's `replyTo`. */
export function ociErrorReply(error: unknown, request: Incoming, note?: ReplyNote): Reply {
  // Only blobs go out while they come: other content is whole before there is a reply.
  const known = error instanceof UpstreamFailure ? answerOf(error, 'blob') : error;
  return answered(namingImage(known, note), request, note);
}

function createHandler(parts: OciParts, listener: Listener): Handler {
  const planner = createPlanner({ rules: parts.rules, settings: parts.settings, listener });
  const gate = createGate({
    ...parts,
    listener,
    home: () => homeRegistryOf(parts.settings()),
    targetOf: (repository) => parts.rules().byPath(repository),
  });
  const refuse: Refuse = (error, plan, request, caller) => {
    if (!(error instanceof RegistryError) || error.code === 'internal')
      parts.failed(error, request.id);
    return refusalReply(asStorageError(error), request, plan, {
      listener,
      publicUrl: parts.settings().publicUrl,
      caller,
    });
  };
  const answering = { ...parts, gate, told: createToldChanges(parts), refuse };
  return (request) => {
    let plan: Plan | undefined;
    try {
      plan = readRequest(request, planner, listener);
      const reply = isRepositoryPlan(plan)
        ? answerRepository(answering, plan, request)
        : answerService(parts, gate, plan, request, listener);
      return reply instanceof Promise
        ? reply.catch((error: unknown) => refuse(error, plan, request, undefined))
        : reply;
    } catch (error) {
      return refuse(error, plan, request, undefined);
    }
  };
}

/** At once where who asks, their rights and the content are known. */
function answerRepository(
  parts: RepositoryParts,
  plan: RepositoryPlan,
  request: Incoming,
): Reply | Promise<Reply> {
  const from = { mirror: plan.route.ns !== undefined, ecr: plan.ecr };
  const caller = parts.gate.identify(request, from);
  return caller instanceof Promise
    ? caller.then((known) => answerCaller(parts, plan, known, request))
    : answerCaller(parts, plan, caller, request);
}

function answerCaller(
  parts: RepositoryParts,
  plan: RepositoryPlan,
  caller: Caller,
  request: Incoming,
): Reply | Promise<Reply> {
  try {
    if (isWrite(request))
      refuseOtherSites({ plan, caller, request }, parts.settings().publicUrl, parts.told);
    const reply = isPull(plan, request)
      ? answerPull(parts, plan, caller, request)
      : changeContent(parts, plan, caller, request);
    return reply instanceof Promise
      ? reply.then(
          (known) => signed(known, caller),
          (error: unknown) => parts.refuse(error, plan, request, caller),
        )
      : signed(reply, caller);
  } catch (error) {
    return parts.refuse(error, plan, request, caller);
  }
}

function isWrite({ method }: Incoming): boolean {
  return method !== 'GET' && method !== 'HEAD';
}

/** A browser that keeps a password for this host would send it with a foreign page's form. */
function refuseOtherSites(
  asked: Asked & { readonly plan: RepositoryPlan },
  publicUrl: string,
  told: ToldChanges,
): void {
  const because = crossSiteReason(asked.request, publicUrl);
  if (because === undefined) return;
  const error = fromOtherSite(because);
  told.refused(asked, `${asked.request.method} ${asked.plan.route.kind}`, error);
  throw error;
}

function fromOtherSite(because: string): RegistryError {
  return new RegistryError('denied', 'requests from other sites are refused', {
    detail: { because },
  });
}

/** The log is told who asked. */
function signed(reply: Reply, { principal }: Caller): Reply {
  if (principal.kind === 'anonymous') return reply;
  return { ...reply, principal: describePrincipal(principal) };
}

/** Methods by what is asked; the Hub listener is pulled from alone. */
const methods = {
  home: ['GET', 'HEAD'],
  base: ['GET', 'HEAD'],
  token: ['GET', 'HEAD', 'POST'],
  catalog: ['GET', 'HEAD'],
  manifest: ['GET', 'HEAD', 'PUT', 'DELETE'],
  blob: ['GET', 'HEAD', 'DELETE'],
  tags: ['GET', 'HEAD'],
  referrers: ['GET', 'HEAD'],
  uploads: ['POST'],
  upload: ['GET', 'HEAD', 'PATCH', 'PUT', 'DELETE'],
} as const satisfies Record<Plan['route']['kind'], readonly string[]>;

function readRequest(request: Incoming, planner: Planner, listener: Listener): Plan {
  const { method } = request;
  const reads = method === 'GET' || method === 'HEAD';
  if (listener === 'hub' && !reads) throw methodUnknown(method, ['GET', 'HEAD']);
  const plan = planner(request);
  const allowed: readonly string[] = methods[plan.route.kind];
  if (!allowed.includes(method)) throw methodUnknown(method, allowed);
  if (
    listener === 'hub' &&
    !['manifest', 'blob', 'tags', 'referrers', 'base', 'home'].includes(plan.route.kind)
  )
    throw new RegistryError('routeUnknown', 'no such path on this listener');
  return plan;
}

function methodUnknown(method: string, allowed: readonly string[]): RegistryError {
  return new RegistryError('unsupported', 'this path does not take this method', {
    detail: { method: method.slice(0, 32), allow: allowed.join(', ') },
  });
}

function isPull(plan: RepositoryPlan, request: Incoming): plan is RepositoryPlan<ContentRoute> {
  const reads = request.method === 'GET' || request.method === 'HEAD';
  return reads && plan.route.kind !== 'upload' && plan.route.kind !== 'uploads';
}

async function answerService(
  parts: OciParts,
  gate: Gate,
  plan: Exclude<Plan, RepositoryPlan>,
  request: Incoming,
  listener: Listener,
): Promise<Reply> {
  const { route, registry, ecr } = plan;
  switch (route.kind) {
    case 'home':
      return homeReply();
    case 'token': {
      const because = isWrite(request)
        ? crossSiteReason(request, parts.settings().publicUrl)
        : undefined;
      if (because !== undefined) throw fromOtherSite(because);
      return tokenReply({ ...parts, gate }, request);
    }
    case 'base': {
      const caller = await gate.identify(request, { mirror: route.ns !== undefined, ecr });
      // The question is how to log in, so that a client that has something to show will.
      if (caller.via === 'none' && listener === 'main')
        throw new RegistryError('unauthorized', 'authentication is needed');
      return baseReply(route.ns);
    }
    case 'catalog': {
      const caller = await gate.identify(request, { mirror: false, ecr });
      if (caller.via === 'none')
        throw new RegistryError('unauthorized', 'authentication is needed');
      if (caller.scopes?.some(({ rights }) => rights.includes('pull')) === false)
        throw new RegistryError('unauthorized', 'the token was not made for this', {
          detail: { error: 'insufficient_scope' },
        });
      return catalogReply(
        { ...parts, gate },
        { registry, n: route.n, last: route.last },
        caller,
        request,
      );
    }
  }
}

/** What was thrown, at once or later, as the client sees it; without a caller where it was not known yet who asks. */
type Refuse = (
  error: unknown,
  plan: Plan | undefined,
  request: Incoming,
  caller: Caller | undefined,
) => Reply;

interface RepositoryParts extends OciParts {
  readonly gate: Gate;
  readonly refuse: Refuse;
  readonly told: ToldChanges;
}

function answerPull(
  parts: RepositoryParts,
  plan: RepositoryPlan<ContentRoute>,
  caller: Caller,
  request: Incoming,
): Reply | Promise<Reply> {
  const imports = parts.gate.admitPull(plan, caller, request);
  const asked = { plan, caller, request };
  return imports instanceof Promise
    ? imports.then((known) => answerAdmitted(parts, asked, known))
    : answerAdmitted(parts, asked, imports);
}

/** `imports`: what is not held may be fetched for this caller. */
function answerAdmitted(
  parts: RepositoryParts,
  asked: AskedPull,
  imports: boolean,
): Reply | Promise<Reply> {
  const { plan, request } = asked;
  try {
    requireAllowed(plan.route, plan.target);
  } catch (error) {
    parts.told.refused(asked, pullActionOf(plan.route), error);
    throw error;
  }
  const allowed = imports ? plan : { ...plan, heldOnly: true };
  const warm = isManifestPlan(allowed) ? warmManifest(parts.cache, allowed, request) : undefined;
  if (warm !== undefined) return warm;
  const foreign =
    imports && plan.target.rule !== undefined
      ? crossSiteReason(request, parts.settings().publicUrl)
      : undefined;
  return foreign === undefined
    ? answerByCache(parts, asked, allowed)
    : answerByCache(parts, asked, { ...plan, heldOnly: true }, foreign);
}

interface AskedPull extends Asked {
  readonly plan: RepositoryPlan<ContentRoute>;
}

/**
 * `allowed`: the plan of what was asked, with what its caller may have. `foreign`: why nothing new is fetched for a caller that may
 * import, whose browser was made to ask by a page of another site.
 */
async function answerByCache(
  parts: RepositoryParts,
  asked: AskedPull,
  allowed: RepositoryPlan<ContentRoute>,
  foreign?: string,
): Promise<Reply> {
  const { plan, caller, request } = asked;
  const since = parts.clock.elapsed();
  const stored = (): void => parts.told.made(asked, since, 'pull');
  try {
    const reply = await pull(parts.cache, allowed, request, stored);
    if (plan.target.rule !== undefined && wasAsked(reply)) stored();
    return reply;
  } catch (error) {
    const unheld =
      allowed.heldOnly === true &&
      error instanceof RegistryError &&
      (error.code === 'manifestUnknown' ||
        error.code === 'blobUnknown' ||
        error.code === 'nameUnknown');
    if (!unheld) throw namingImage(error, plan.note);
    if (foreign === undefined) throw await parts.gate.notImported(plan, caller, request);
    const refused = fromOtherSite(foreign);
    parts.told.refused(asked, actions.importUpstream, refused);
    throw refused;
  }
}

/** Upstream was, so that the repository may be one that was made just now. */
function wasAsked({ note: { verdict } }: Reply): boolean {
  return verdict === 'miss' || verdict === 'revalidated' || verdict === 'coalesced';
}

function pull(
  cache: Cache,
  plan: RepositoryPlan<ContentRoute>,
  request: Incoming,
  stored: () => void,
): Promise<Reply> {
  const { route } = plan;
  switch (route.kind) {
    case 'manifest':
      return pullManifest(cache, { ...plan, route }, request);
    case 'blob':
      return pullBlob(cache, { ...plan, route }, request, stored);
    case 'tags':
      return listTags(cache, { ...plan, route }, request);
    case 'referrers':
      return listReferrers(cache, { ...plan, route }, request);
  }
}
