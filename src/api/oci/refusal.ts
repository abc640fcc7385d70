import { RegistryError } from '../../domain/errors.ts';
import type { Incoming, Reply } from '../../http/reply.ts';
import { basicChallenge, bearerChallenge } from './challenge.ts';
import { errorReply } from './errors.ts';
import { rightsOf } from './gate.ts';
import { isRepositoryPlan } from './plan.ts';
import type { Plan } from './plan.ts';
import type { Listener } from './target.ts';
import { uploadHeaders } from './uploads.ts';

/** What was thrown as the client sees it: with the challenge of a 401, and where an upload stands after a chunk out of its place. */
export function refusalReply(
  error: unknown,
  request: Incoming,
  plan: Plan | undefined,
  options: { readonly listener: Listener; readonly publicUrl: string },
): Reply {
  const known = pushedTagError(error, request);
  const repository = plan !== undefined && isRepositoryPlan(plan) ? plan : undefined;
  const reply = errorReply(known, request.id, repository?.note);
  const headers: Record<string, string> = { ...reply.headers };
  if (reply.status === 401 && options.listener === 'main') {
    const insufficient =
      known instanceof RegistryError && known.detail?.['error'] === 'insufficient_scope';
    const source = known instanceof RegistryError ? known.detail?.['source'] : undefined;
    const scope = plan === undefined ? '' : scopesOf(plan, request.method, source).join(' ');
    const basic = plan?.ecr === true || plan?.route.kind === 'token';
    headers['WWW-Authenticate'] = basic
      ? basicChallenge(request, options.publicUrl)
      : bearerChallenge(request, options.publicUrl, { scope, insufficient });
  }
  if (repository === undefined) return { ...reply, headers };
  const { route } = repository;
  if (route.ns !== undefined) headers['OCI-Namespace'] = route.ns;
  if (known instanceof RegistryError && known.code === 'uploadRange' && route.kind === 'upload') {
    const size = Number(known.detail?.['size'] ?? 0);
    Object.assign(headers, uploadHeaders({ route }, { id: route.id, size }));
  }
  return { ...reply, headers };
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

/** A name that no tag can have is nothing to be found for a pull, and a mistake in a push. */
function pushedTagError(error: unknown, request: Incoming): unknown {
  if (!(error instanceof RegistryError) || error.code !== 'tagInvalid') return error;
  if (request.method === 'GET' || request.method === 'HEAD') return error;
  const options = error.detail === undefined ? {} : { detail: error.detail };
  return new RegistryError('manifestInvalid', error.message, options);
}
