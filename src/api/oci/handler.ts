import { anonymousCaller } from '../../access/access.ts';
import type { Caller, Identifier, RequestFrom } from '../../access/access.ts';
import { AccessRefused, otherSiteRefused, requestFrom } from '../../access/admission/admission.ts';
import type { Admission } from '../../access/admission/admission.ts';
import type { TokenService } from '../../access/identify/registry-tokens.ts';
import { asStorageError } from '../../cache/space/storage-answer.ts';
import { RegistryError } from '../../domain/errors.ts';
import { describePrincipal } from '../../domain/policy/principal.ts';
import type { RegistrySettings } from '../../domain/names/registry.ts';
import { layerDownloadPath } from '../../domain/names/registry-url.ts';
import type { RulesInForce } from '../../domain/rules/rule-set.ts';
import { answerOf, UpstreamFailure } from '../../domain/upstream-failure.ts';
import { crossSiteReason } from '../../http/cross-site.ts';
import type { ReplyNote } from '../../domain/served.ts';
import type { Handler, Incoming, Reply } from '../../http/reply.ts';
import type { Operations } from '../../operations/operations.ts';
import type { Pulls } from '../../operations/pulls.ts';
import { refusalForClients } from './access-refusal.ts';
import { baseReply, homeReply } from './base.ts';
import { pullBlob } from './blobs.ts';
import { catalogReply } from './catalog.ts';
import { changeContent } from './changes.ts';
import { pullManifest } from './manifests.ts';
import { createPlanner, isRepositoryPlan, planOfBlob } from './plan.ts';
import type { Asked, Listener, Plan, Planner, RepositoryPlan } from './plan.ts';
import { listReferrers } from './referrers.ts';
import { answered, namingImage, refusalReply } from './refusal.ts';
import { listTags } from './tags.ts';
import { tokenReply } from './token.ts';

export interface OciSettings extends RegistrySettings {
  readonly anonymousPull: boolean;
  /** Empty: the request's Host. */
  readonly publicUrl: string;
}

export interface OciParts extends Pick<
  Operations,
  'admission' | 'places' | 'pulls' | 'contentChanges' | 'repositories' | 'layerDownloads'
> {
  readonly rules: RulesInForce;
  /** A new object after each reload. */
  readonly settings: () => OciSettings;
  readonly identifier: Identifier;
  readonly tokens: TokenService;
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

/** One blob by a URL of GetDownloadUrlForLayer, without credentials: for whom the URL was made, and with the rights that they have now. Never throws. */
export function createLayerDownloadHandler(parts: OciParts): Handler {
  const answering: Answering = { ...parts, listener: 'main' };
  return async (request) => {
    let plan: Plan | undefined;
    try {
      requireMethod(request, ['GET', 'HEAD']);
      const ticket = request.path.slice(layerDownloadPath.length);
      const { caller, place, digest } = await parts.layerDownloads.redeem(ticket);
      plan = planOfBlob(place, digest, parts.places.home);
      const from = requestFrom(request, crossSiteReason(request, parts.settings().publicUrl));
      return await answerCaller(answering, { plan, request, from, caller });
    } catch (error) {
      return refuse(answering, error, request, plan);
    }
  };
}

/** The reply to what broke before a body's first byte, for the server's `replyTo`. */
export function ociErrorReply(error: unknown, request: Incoming, note?: ReplyNote): Reply {
  // Only blobs go out while they come: other content is whole before there is a reply.
  const known = error instanceof UpstreamFailure ? answerOf(error, 'blob') : error;
  return answered(namingImage(known, note), request, note);
}

interface Answering extends OciParts {
  readonly listener: Listener;
}

function createHandler(parts: OciParts, listener: Listener): Handler {
  const planner = createPlanner({ rules: parts.rules, settings: parts.settings, listener });
  const answering: Answering = { ...parts, listener };
  return (request) => {
    let plan: Plan | undefined;
    try {
      plan = readRequest(request, planner, listener);
      const reply = isRepositoryPlan(plan)
        ? answerRepository(answering, plan, request)
        : answerService(answering, plan, request);
      return reply instanceof Promise
        ? reply.catch((error: unknown) => refuse(answering, error, request, plan))
        : reply;
    } catch (error) {
      return refuse(answering, error, request, plan);
    }
  };
}

/** What was thrown, as the client sees it; without a caller where it was not known yet who asks. */
function refuse(
  parts: Answering,
  error: unknown,
  request: Incoming,
  plan: Plan | undefined,
  caller?: Caller,
): Reply | Promise<Reply> {
  if (error instanceof AccessRefused && plan !== undefined && isRepositoryPlan(plan))
    return refusalForClients(parts, error, plan).then((known) =>
      sayRefusal(parts, known, request, plan, caller),
    );
  return sayRefusal(parts, error, request, plan, caller);
}

function sayRefusal(
  { failed, listener, settings }: Answering,
  error: unknown,
  request: Incoming,
  plan: Plan | undefined,
  caller: Caller | undefined,
): Reply {
  if (!(error instanceof RegistryError) || error.code === 'internal') failed(error, request.id);
  const { publicUrl } = settings();
  return refusalReply(asStorageError(error), request, plan, { listener, publicUrl, caller });
}

/** At once where who asks, their rights and the content are known. */
function answerRepository(
  parts: Answering,
  plan: RepositoryPlan,
  request: Incoming,
): Reply | Promise<Reply> {
  const from = requestFrom(request, crossSiteReason(request, parts.settings().publicUrl));
  const caller = identify(parts, plan, request, from);
  return caller instanceof Promise
    ? caller.then((known) => answerCaller(parts, { plan, request, from, caller: known }))
    : answerCaller(parts, { plan, request, from, caller });
}

/** Throws `unauthorized` for wrong credentials. For a mirror and on the Hub listener those that are unknown here are nobody's. */
function identify(
  { identifier, listener }: Answering,
  { route, ecr }: Pick<Plan, 'route' | 'ecr'>,
  { headers: { authorization } }: Incoming,
  from: RequestFrom,
): Caller | Promise<Caller> {
  if (authorization === undefined || listener === 'hub') return anonymousCaller;
  const mirror = 'ns' in route && route.ns !== undefined;
  return identifier.identify(authorization, from, { mirror, basicOnly: ecr });
}

function answerCaller(parts: Answering, asked: Asked): Reply | Promise<Reply> {
  const { caller, request } = asked;
  try {
    if (isWrite(request)) refuseOtherSites(parts.admission, asked);
    const reply = isPull(asked)
      ? answerPull(parts.pulls, asked)
      : changeContent(parts.contentChanges, asked);
    return reply instanceof Promise
      ? reply.then(
          (known) => signed(known, caller),
          (error: unknown) => refuseAsked(parts, error, asked),
        )
      : signed(reply, caller);
  } catch (error) {
    return refuseAsked(parts, error, asked);
  }
}

function refuseAsked(parts: Answering, error: unknown, asked: Asked): Reply | Promise<Reply> {
  const { plan, caller, request } = asked;
  const known = isPull(asked) ? namingImage(error, plan.note) : error;
  return refuse(parts, known, request, plan, caller);
}

function isWrite({ method }: Incoming): boolean {
  return method !== 'GET' && method !== 'HEAD';
}

function isPull({ plan: { route }, request }: Asked): boolean {
  return !isWrite(request) && route.kind !== 'upload' && route.kind !== 'uploads';
}

function refuseOtherSites(admission: Admission, asked: Asked): void {
  const { otherSite } = asked.from;
  if (otherSite === undefined) return;
  const { registry, target, route } = asked.plan;
  const subject = { registry, resource: target.repository };
  const action = `${asked.request.method} ${route.kind}`;
  throw admission.refuseOtherSite(asked, action, subject, otherSite);
}

/** With the principal for the access log. */
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
  requireMethod(request, methods[plan.route.kind]);
  if (
    listener === 'hub' &&
    !['manifest', 'blob', 'tags', 'referrers', 'base', 'home'].includes(plan.route.kind)
  )
    throw new RegistryError('routeUnknown', 'no such path on this listener');
  return plan;
}

function requireMethod({ method }: Incoming, allowed: readonly string[]): void {
  if (!allowed.includes(method)) throw methodUnknown(method, allowed);
}

function methodUnknown(method: string, allowed: readonly string[]): RegistryError {
  return new RegistryError('unsupported', 'this path does not take this method', {
    detail: { method: method.slice(0, 32), allow: allowed.join(', ') },
  });
}

async function answerService(
  parts: Answering,
  plan: Exclude<Plan, RepositoryPlan>,
  request: Incoming,
): Promise<Reply> {
  const { route, registry } = plan;
  const from = requestFrom(request, crossSiteReason(request, parts.settings().publicUrl));
  switch (route.kind) {
    case 'home':
      return homeReply();
    case 'token':
      if (isWrite(request) && from.otherSite !== undefined) throw otherSiteRefused(from.otherSite);
      return tokenReply(parts, request, from);
    case 'base': {
      const caller = await identify(parts, plan, request, from);
      // The question is how to log in, so that a client that has something to show will.
      if (caller.via === 'none' && parts.listener === 'main')
        throw new RegistryError('unauthorized', 'authentication is needed');
      return baseReply(route.ns);
    }
    case 'catalog': {
      const caller = await identify(parts, plan, request, from);
      if (caller.via === 'none')
        throw new RegistryError('unauthorized', 'authentication is needed');
      if (caller.scopes?.some(({ rights }) => rights.includes('pull')) === false)
        throw new RegistryError('unauthorized', 'the token was not made for this', {
          detail: { error: 'insufficient_scope' },
        });
      const page = { registry, n: route.n, last: route.last };
      return catalogReply(parts.repositories, page, { caller, from }, request);
    }
  }
}

/** At once where the answer is in memory. */
function answerPull(pulls: Pulls, asked: Asked): Reply | Promise<Reply> {
  const { route } = asked.plan;
  switch (route.kind) {
    case 'manifest':
      return pullManifest(pulls, asked, route);
    case 'blob':
      return pullBlob(pulls, asked, route);
    case 'tags':
      return listTags(pulls, asked, route);
    case 'referrers':
      return listReferrers(pulls, asked, route);
    case 'uploads':
    case 'upload':
      throw new Error('an upload is no pull');
  }
}
