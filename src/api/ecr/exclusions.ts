import { timestamp } from '../aws/service-model.ts';
import { pageDefault, registryOfCall } from './parts.ts';
import type { EcrParts, EcrRows } from './parts.ts';

/** Principals whose pulls are not to count as pulls of an image. */
export function exclusionRows({
  pullTimeExclusions,
  pages,
}: Pick<EcrParts, 'pullTimeExclusions' | 'pages'>): EcrRows {
  return {
    RegisterPullTimeUpdateExclusion: {
      changes: true,
      answer: async ({ principalArn }, asking) => {
        const place = { ...registryOfCall(asking, {}), principal: principalArn };
        const at = await pullTimeExclusions.add(asking, place);
        return { principalArn, createdAt: timestamp(at) };
      },
    },
    DeregisterPullTimeUpdateExclusion: {
      changes: true,
      answer: async ({ principalArn }, asking) => {
        const place = { ...registryOfCall(asking, {}), principal: principalArn };
        await pullTimeExclusions.remove(asking, place);
        return { principalArn };
      },
    },
    ListPullTimeUpdateExclusions: {
      changes: false,
      answer: async ({ maxResults, nextToken }, asking) => {
        const registry = registryOfCall(asking, {});
        const list = `ListPullTimeUpdateExclusions ${registry.account}/${registry.region}`;
        const page = await pullTimeExclusions.list(asking, {
          ...registry,
          limit: maxResults ?? pageDefault,
          cursor: pages.read(list, nextToken),
        });
        return {
          pullTimeUpdateExclusions: page.items,
          nextToken: pages.write(list, page.next),
        };
      },
    },
  };
}
