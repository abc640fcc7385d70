import * as z from 'zod';
import { listOf } from '../../contract/access-schema.ts';
import * as outputs from '../../contract/admin-schema.ts';
import type { VersionView } from '../../contract/admin-view.ts';
import type { CacheViews } from '../../operations/cache-views.ts';
import { endpoint } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { fields, nothing } from './input.ts';

export interface CacheParts {
  readonly cacheViews: CacheViews;
  readonly version: VersionView;
}

/** What the cache does and whom it asks: the operator's, since rules and upstreams are the server's. */
export function cacheEndpoints({ cacheViews, version }: CacheParts): readonly Endpoint[] {
  return [
    endpoint({
      method: 'GET',
      path: 'explain',
      summary: 'What a pull of an image would do, and why',
      operator: true,
      input: z.strictObject({
        image: fields.image,
        probe: fields.flag,
        as: fields.reference.optional(),
        from: fields.address,
      }),
      output: outputs.explanation,
      answer: (input, asking) => cacheViews.explain(asking, input, asking.signal),
    }),
    endpoint({
      method: 'POST',
      path: 'refresh',
      summary: 'Checks a tag upstream now',
      operator: true,
      input: z.strictObject({ image: fields.image }),
      output: outputs.refreshment,
      answer: ({ image }, { signal }) => cacheViews.refresh(image, signal),
    }),
    endpoint({
      method: 'GET',
      path: 'pulls',
      summary: 'The newest pulls, by hour, client and image',
      operator: true,
      input: z.strictObject({ limit: fields.limit }),
      output: listOf(outputs.pull),
      answer: ({ limit }) => cacheViews.pulls(limit),
    }),
    endpoint({
      method: 'GET',
      path: 'version',
      summary: 'The version of the server',
      input: nothing,
      output: outputs.version,
      answer: () => version,
    }),
    ...upstreamEndpoints(cacheViews),
  ];
}

function upstreamEndpoints(cacheViews: CacheViews): readonly Endpoint[] {
  return [
    endpoint({
      method: 'POST',
      path: 'rules/verify',
      summary: 'Asks every URL of the rules, or of one',
      operator: true,
      input: z.strictObject({ prefix: z.string().min(1).max(255).optional() }),
      output: listOf(outputs.verification),
      answer: ({ prefix }, { signal }) => cacheViews.verify(prefix, signal),
    }),
    endpoint({
      method: 'GET',
      path: 'upstreams',
      summary: 'The upstreams, their limits and whether they answer',
      operator: true,
      input: nothing,
      output: listOf(outputs.upstream),
      answer: () => cacheViews.upstreams(),
    }),
  ];
}
