import { formatCacheStatus } from '../../domain/verdict.ts';
import type { Reply } from '../../http/reply.ts';
import type { Pulls } from '../../operations/pulls.ts';
import { apiVersionHeader } from './errors.ts';
import type { Asked } from './plan.ts';
import { formatRoute } from './route.ts';
import { pageMax } from './route-values.ts';
import type { ContentRoute } from './route.ts';

export type TagsRoute = Extract<ContentRoute, { readonly kind: 'tags' }>;

/** A page of tags in byte order; `Link` leads to the next one in the form in which this one was asked (distribution-spec, "Listing Tags"). */
export async function listTags(pulls: Pulls, asked: Asked, route: TagsRoute): Promise<Reply> {
  const { registry, target, note } = asked.plan;
  const n = route.n ?? pageMax;
  const answer = await pulls.tags(asked, { registry, target, n, last: route.last }, asked.request);
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
  return { status: 200, headers, body, note: { ...note, verdict: answer.outcome.verdict } };
}
