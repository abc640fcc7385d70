import { registryOfCall } from './parts.ts';
import type { EcrParts, EcrRows } from './parts.ts';

/** Replication of what is there already, which nothing does here. */
export function backfillRows({
  replicationBackfills,
}: Pick<EcrParts, 'replicationBackfills'>): EcrRows {
  return {
    StartReplicationBackfill: {
      changes: true,
      answer: (input, asking) => replicationBackfills.start(asking, registryOfCall(asking, input)),
    },
    StopReplicationBackfill: {
      changes: true,
      answer: ({ replicationBackfillId: id, ...input }, asking) =>
        replicationBackfills.stop(asking, { ...registryOfCall(asking, input), id }),
    },
    DescribeReplicationBackfillResults: {
      changes: false,
      answer: ({ replicationBackfillId: id, ...input }, asking) =>
        replicationBackfills.results(asking, { ...registryOfCall(asking, input), id }),
    },
    ListReplicationBackfills: {
      changes: false,
      answer: async (input, asking) => {
        const registry = registryOfCall(asking, input);
        await replicationBackfills.list(asking, registry);
        return { registryId: registry.account, backfills: [] };
      },
    },
  };
}
