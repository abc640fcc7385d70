import { formatCacheStatus } from '../../domain/verdict.ts';
import type { Cache } from '../../cache/cache.ts';
import type { Incoming, Reply } from '../../http/reply.ts';
import { apiVersionHeader } from './errors.ts';
import type { RepositoryPlan } from './plan.ts';
import { formatRoute } from './route.ts';
import { pageMax } from './route-values.ts';
import type { ContentRoute } from './route.ts';

export type TagsPlan = RepositoryPlan<Extract<ContentRoute, { readonly kind: 'tags' }>>;

/** A page of tags in byte order; `Link` leads to the next one in the form in which this one was asked (distribution-spec, "Listing Tags"). */
export async function listTags(cache: Cache, plan: TagsPlan, request: Incoming): Promise<Reply> {
  const { route, target } = plan;
  const n = route.n ?? pageMax;
  const answer = await cache.listTags(
    { registry: plan.registry, target, heldOnly: plan.heldOnly, n, last: route.last },
    request.signal,
  );
  const headers: Record<string, string> = {
    ...apiVersionHeader,
    'Content-Type': 'application/json',
    'Cache-Status': formatCacheStatus(answer.outcome),
    'X-Content-Type-Options': 'nosniff',
  };
  if (route.ns !== undefined) headers['OCI-Namespace'] = route.ns;
  const last = answer.next ?? answer.tags.at(-1);
  if (answer.more && last !== undefined)
    headers['Link'] = `<${formatRoute({ ...route, n, last })}>; rel="next"`;
  const body = `${JSON.stringify({ name: route.name, tags: answer.tags })}\n`;
  return { status: 200, headers, body, note: { ...plan.note, verdict: answer.outcome.verdict } };
}
