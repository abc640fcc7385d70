import type { Caller } from '../../access/access.ts';
import { RegistryError } from '../../domain/errors.ts';
import { describePrincipal } from '../../domain/policy/principal.ts';
import type { ScopeRight } from '../../domain/policy/access-action.ts';
import { UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { ReplyNote } from '../../domain/served.ts';
import type { Incoming, Reply } from '../../http/reply.ts';
import { basicChallenge, bearerChallenge } from './challenge.ts';
import type { TokenError } from './challenge.ts';
import { errorReply } from './errors.ts';
import { uploadHeaders } from './changes.ts';
import { isRepositoryPlan } from './plan.ts';
import type { Listener, Plan } from './plan.ts';
import type { RepositoryRoute } from './route.ts';

/** What was thrown as the client sees it: with the challenge of a 401, and where an upload stands after a chunk out of its place. */
export function refusalReply(
  error: unknown,
  request: Incoming,
  plan: Plan | undefined,
  options: {
    readonly listener: Listener;
    readonly publicUrl: string;
    /** Absent: the credentials were refused, or the request before them. */
    readonly caller: Caller | undefined;
  },
): Reply {
  const known = pushedTagError(error, request);
  const repository = plan !== undefined && isRepositoryPlan(plan) ? plan : undefined;
  const { caller } = options;
  const reply = {
    ...answered(known, request, repository?.note),
    ...(caller && { principal: describePrincipal(caller.principal) }),
  };
  const headers: Record<string, string> = { ...reply.headers };
  if (reply.status === 401 && options.listener === 'main') {
    const source = known instanceof RegistryError ? known.detail?.['source'] : undefined;
    const scope = plan === undefined ? '' : scopesOf(plan, request.method, source).join(' ');
    const basic = plan?.ecr === true || plan?.route.kind === 'token';
    headers['WWW-Authenticate'] = basic
      ? basicChallenge(request, options.publicUrl)
      : bearerChallenge(request, options.publicUrl, {
          scope,
          tokenError: tokenErrorOf(known, request.method),
        });
  }
  if (repository === undefined) return { ...reply, headers };
  const { route } = repository;
  if (route.ns !== undefined) headers['OCI-Namespace'] = route.ns;
  if (known instanceof RegistryError && known.code === 'uploadRange' && route.kind === 'upload') {
    const size = Number(known.detail?.['size'] ?? 0);
    Object.assign(headers, uploadHeaders(route, { id: route.id, size }));
  }
  return { ...reply, headers };
}

/**
 * The error, and for clients that print the status line alone the reason in it: of a HEAD, which has no body (containerd, and Docker with
 * its store), and of 5xx (Docker 20.10 to 28).
 */
export function answered(
  error: unknown,
  request: Pick<Incoming, 'id' | 'method'>,
  note: Partial<ReplyNote> = {},
): Reply {
  const reply = errorReply(error, request.id, { route: 'none', ...note });
  if (!(error instanceof RegistryError)) return reply;
  const silent = request.method === 'HEAD' || reply.status >= 500;
  return silent ? { ...reply, statusText: asciiLine(error.message) } : reply;
}

/** What an upstream is the cause of, and what waiting may help against, names the image that `explain` says more of. */
export function namingImage(error: unknown, note: ReplyNote | undefined): unknown {
  if (!(error instanceof RegistryError) || note?.rule === undefined) return error;
  const waits = error.code === 'tooManyRequests' || error.code === 'unavailable';
  if (!waits && !(error.cause instanceof UpstreamFailure)) return error;
  const { repository = '', reference = '' } = note;
  const between = reference === '' ? '' : reference.includes(':') ? '@' : ':';
  return error.reworded(`${error.message}; breakwater explain ${repository}${between}${reference}`);
}

/**
 * Why the shown token is not enough. Where another token would help, clients look for the bare code. Where none would, since it is
 * anonymous itself that may not, they print: Docker 20.10, podman and skopeo the description in place of the body, containerd and
 * Docker's containerd store the error alone, of what has no body to show.
 */
function tokenErrorOf(error: unknown, method: string): TokenError | undefined {
  if (!(error instanceof RegistryError) || error.detail?.['error'] !== insufficientScope)
    return undefined;
  if (error.detail['principal'] !== 'anonymous') return { error: insufficientScope };
  const description = asciiLine(error.message);
  return method === 'GET'
    ? { error: insufficientScope, description }
    : { error: `${insufficientScope}: ${description}`, description };
}

const insufficientScope = 'insufficient_scope';
const lineCharactersMax = 300;

/** As a status line and a quoted parameter can hold it. */
function asciiLine(text: string): string {
  return text.slice(0, lineCharactersMax).replaceAll(/[^ !#-[\]-~]/g, '?');
}

/** What a client should ask a token for; a mount's source has to be read, whether the client names it or it was found. */
function scopesOf(plan: Plan, method: string, found: unknown): readonly string[] {
  if (!isRepositoryPlan(plan)) return plan.route.kind === 'catalog' ? ['registry:catalog:*'] : [];
  const { route, target } = plan;
  const own = `repository:${target.repository}:${rightsOf(route, method).join(',')}`;
  if (route.kind !== 'uploads' || route.mount === undefined) return [own];
  const source = typeof found === 'string' ? found : route.from;
  return source === undefined ? [own] : [own, `repository:${source}:pull`];
}

/** The rights that a client should ask a token for. */
function rightsOf(route: RepositoryRoute, method: string): readonly ScopeRight[] {
  if (method === 'DELETE' && route.kind !== 'upload') return ['delete'];
  const reads = method === 'GET' || method === 'HEAD';
  return reads && route.kind !== 'upload' ? ['pull'] : ['pull', 'push'];
}

/** A name that no tag can have is nothing to be found for a pull, and a mistake in a push. */
function pushedTagError(error: unknown, request: Incoming): unknown {
  if (!(error instanceof RegistryError) || error.code !== 'tagInvalid') return error;
  if (request.method === 'GET' || request.method === 'HEAD') return error;
  const options = error.detail === undefined ? {} : { detail: error.detail };
  return new RegistryError('manifestInvalid', error.message, options);
}
