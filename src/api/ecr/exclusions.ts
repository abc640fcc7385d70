import { timestamp } from '../aws/service-model.ts';
import { listOf, pageOfCall, registryOfCall } from './parts.ts';
import type { EcrParts, EcrRows } from './parts.ts';

/** Principals whose pulls are not to count as pulls of an image. */
export function exclusionRows(parts: Pick<EcrParts, 'pullTimeExclusions' | 'pages'>): EcrRows {
  const { pullTimeExclusions, pages } = parts;
  return {
    RegisterPullTimeUpdateExclusion: {
      changes: true,
      answer: async ({ principalArn }, asking) => {
        const place = { ...registryOfCall(asking), principal: principalArn };
        const at = await pullTimeExclusions.add(asking, place);
        return { principalArn, createdAt: timestamp(at) };
      },
    },
    DeregisterPullTimeUpdateExclusion: {
      changes: true,
      answer: async ({ principalArn }, asking) => {
        const place = { ...registryOfCall(asking), principal: principalArn };
        await pullTimeExclusions.remove(asking, place);
        return { principalArn };
      },
    },
    ListPullTimeUpdateExclusions: {
      changes: false,
      answer: async (input, asking) => {
        const registry = registryOfCall(asking);
        const list = listOf('ListPullTimeUpdateExclusions', registry);
        const asked = { ...registry, ...pageOfCall(parts, list, input) };
        const page = await pullTimeExclusions.list(asking, asked);
        return {
          pullTimeUpdateExclusions: page.items,
          nextToken: pages.write(list, page.next),
        };
      },
    },
  };
}
