import type {
  LifecyclePolicyView,
  LifecyclePreviewView,
  LifecycleResultView,
} from '../../contract/lifecycle-view.ts';
import { parseDigest } from '../../domain/names/digest.ts';
import type { Reference } from '../../domain/names/reference.ts';
import { parseTag } from '../../domain/names/tag.ts';
import { timestamp } from '../aws/service-model.ts';
import type {
  GetLifecyclePolicyPreviewRequest,
  GetLifecyclePolicyPreviewResponse,
  LifecyclePolicyPreviewResult,
} from './model.ts';
import { listOf, pageOfCall, repositoryOfCall, requireNoPage } from './parts.ts';
import type { EcrParts, EcrRows } from './parts.ts';

/** Lifecycle policies and previews of them: texts go in and come out verbatim. */
export function lifecycleRows(parts: Pick<EcrParts, 'lifecycles' | 'pages'>): EcrRows {
  return { ...policyRows(parts), ...previewRows(parts) };
}

type Named = { readonly repositoryName: string };

function policyRows({ lifecycles }: Pick<EcrParts, 'lifecycles'>): EcrRows {
  const view = ({ repositoryName }: Named, { account, policy }: LifecyclePolicyView) => ({
    registryId: account,
    repositoryName,
    lifecyclePolicyText: policy,
  });
  const viewEvaluated = (input: Named, found: LifecyclePolicyView) => ({
    ...view(input, found),
    lastEvaluatedAt:
      found.lastEvaluatedAt === null ? undefined : timestamp(Date.parse(found.lastEvaluatedAt)),
  });
  return {
    PutLifecyclePolicy: {
      changes: true,
      answer: async (input, asking) => {
        const place = repositoryOfCall(asking, input);
        const policy = input.lifecyclePolicyText;
        return view(input, await lifecycles.put(asking, { ...place, policy }));
      },
    },
    GetLifecyclePolicy: {
      changes: false,
      answer: async (input, asking) =>
        viewEvaluated(input, await lifecycles.get(asking, repositoryOfCall(asking, input))),
    },
    DeleteLifecyclePolicy: {
      changes: true,
      answer: async (input, asking) =>
        viewEvaluated(input, await lifecycles.delete(asking, repositoryOfCall(asking, input))),
    },
  };
}

const statuses = {
  inProgress: 'IN_PROGRESS',
  complete: 'COMPLETE',
  failed: 'FAILED',
  expired: 'EXPIRED',
} as const satisfies Record<LifecyclePreviewView['status'], string>;

const tagStatuses = { TAGGED: 'tagged', UNTAGGED: 'untagged', ANY: 'any' } as const;

function previewRows(parts: Pick<EcrParts, 'lifecycles' | 'pages'>): EcrRows {
  const { lifecycles, pages } = parts;
  const view = ({ repositoryName }: Named, { account, policy, status }: LifecyclePreviewView) => ({
    registryId: account,
    repositoryName,
    lifecyclePolicyText: policy,
    status: statuses[status],
  });
  return {
    StartLifecyclePolicyPreview: {
      changes: true,
      answer: async (input, asking) => {
        const place = repositoryOfCall(asking, input);
        const policy = input.lifecyclePolicyText;
        return view(input, await lifecycles.startPreview(asking, { ...place, policy }));
      },
    },
    GetLifecyclePolicyPreview: {
      changes: false,
      answer: async (input, asking): Promise<GetLifecyclePolicyPreviewResponse> => {
        const place = repositoryOfCall(asking, input);
        const list = listOf('GetLifecyclePolicyPreview', place, input.filter);
        const { tagStatus } = input.filter ?? {};
        const found = await lifecycles.preview(asking, {
          ...place,
          images: imagesOf(input),
          tagStatus: tagStatus && tagStatuses[tagStatus],
          ...pageOfCall(parts, list, input),
        });
        return {
          ...view(input, found),
          nextToken: pages.write(list, found.next),
          previewResults: found.items.map(viewResult),
          ...(found.status === 'complete' ? { summary: summaryOf(found) } : {}),
        };
      },
    },
  };
}

/** `undefined`: all of them, page after page. What can be no image's is none of the results. */
function imagesOf(input: GetLifecyclePolicyPreviewRequest): readonly Reference[] | undefined {
  const { imageIds } = input;
  if (imageIds === undefined) return undefined;
  requireNoPage('imageIds', input);
  return imageIds.flatMap(({ imageDigest, imageTag }): Reference[] => {
    const digest = imageDigest === undefined ? undefined : parseDigest(imageDigest);
    if (imageDigest !== undefined) return digest === undefined ? [] : [{ kind: 'digest', digest }];
    const tag = imageTag === undefined ? undefined : parseTag(imageTag);
    return tag === undefined ? [] : [{ kind: 'tag', tag }];
  });
}

function viewResult(result: LifecycleResultView): LifecyclePolicyPreviewResult {
  const { digest, tags, pushedAt, action, priority, storageClass } = result;
  return {
    ...(tags.length === 0 ? {} : { imageTags: tags }),
    imageDigest: digest,
    imagePushedAt: timestamp(Date.parse(pushedAt)),
    action:
      action === 'expire'
        ? { type: 'EXPIRE' }
        : { type: 'TRANSITION', targetStorageClass: 'ARCHIVE' },
    appliedRulePriority: priority,
    storageClass: storageClass === 'archive' ? 'ARCHIVE' : 'STANDARD',
  };
}

function summaryOf({
  expiring,
  transitioning,
}: LifecyclePreviewView): NonNullable<GetLifecyclePolicyPreviewResponse['summary']> {
  return {
    expiringImageTotalCount: expiring,
    ...(transitioning === 0
      ? {}
      : {
          transitioningImageTotalCounts: [
            { targetStorageClass: 'ARCHIVE', imageTotalCount: transitioning },
          ],
        }),
  };
}
