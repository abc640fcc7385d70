import type { Descriptor } from '../../domain/manifests/manifest.ts';
import { manifestBytesMax } from '../../domain/manifests/manifest.ts';
import { mediaTypes } from '../../domain/manifests/media-type.ts';
import { formatCacheStatus } from '../../domain/verdict.ts';
import type { Reply } from '../../http/reply.ts';
import type { Pulls } from '../../operations/pulls.ts';
import { apiVersionHeader } from './errors.ts';
import type { Asked } from './plan.ts';
import { formatRoute } from './route.ts';
import type { ContentRoute } from './route.ts';

export type ReferrersRoute = Extract<ContentRoute, { readonly kind: 'referrers' }>;

/** What refers to a manifest, as an index of at most a manifest's size; more comes by `Link` (distribution-spec, "Listing Referrers"). */
export async function listReferrers(
  pulls: Pulls,
  asked: Asked,
  route: ReferrersRoute,
): Promise<Reply> {
  const { registry, target, note } = asked.plan;
  const answer = await pulls.referrers(
    asked,
    { registry, target, subject: route.digest },
    asked.request,
  );
  const headers: Record<string, string> = {
    ...apiVersionHeader,
    'Content-Type': mediaTypes.ociIndex,
    'Cache-Status': formatCacheStatus(answer.outcome),
    'X-Content-Type-Options': 'nosniff',
  };
  if (route.ns !== undefined) headers['OCI-Namespace'] = route.ns;
  if (route.artifactType !== undefined) headers['OCI-Filters-Applied'] = 'artifactType';
  const wanted = answer.descriptors.filter(
    (each) => route.artifactType === undefined || each.artifactType === route.artifactType,
  );
  const page = pageAfter(wanted, route.last, manifestBytesMax);
  if (page.next !== undefined)
    headers['Link'] = `<${formatRoute({ ...route, last: page.next })}>; rel="next"`;
  const body = `{"schemaVersion":2,"mediaType":"${mediaTypes.ociIndex}","manifests":[${page.descriptors.join(',')}]}\n`;
  return { status: 200, headers, body, note: { ...note, verdict: answer.outcome.verdict } };
}

/** Descriptors as JSON, in the order of their digests, so that a page can begin after one that has gone. */
function pageAfter(
  descriptors: readonly Descriptor[],
  last: string | undefined,
  charactersMax: number,
): { readonly descriptors: readonly string[]; readonly next: string | undefined } {
  const sorted = [...descriptors].toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
  const page: string[] = [];
  let characters = 256;
  let previous: string | undefined;
  for (const descriptor of sorted) {
    if (last !== undefined && descriptor.digest <= last) continue;
    const text = formatDescriptor(descriptor);
    characters += Buffer.byteLength(text) + 1;
    if (characters > charactersMax && previous !== undefined)
      return { descriptors: page, next: previous };
    page.push(text);
    previous = descriptor.digest;
  }
  return { descriptors: page, next: undefined };
}

function formatDescriptor({
  mediaType,
  digest,
  size,
  artifactType,
  annotations,
  platform,
}: Descriptor): string {
  return JSON.stringify({ mediaType, digest, size, artifactType, annotations, platform });
}
