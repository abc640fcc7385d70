import type { Pushes } from '../../cache/push/pushes.ts';
import { algorithmOf } from '../../domain/names/digest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { manifestBytesMax } from '../../domain/manifests/manifest.ts';
import type { Incoming, Reply } from '../../http/reply.ts';
import { apiVersionHeader, localStatus } from './errors.ts';
import type { ManifestPlan } from './manifests.ts';
import { formatRoute } from './route.ts';
import type { Change } from './told-changes.ts';

/** PUT: the exact bytes under a tag, or under their digest with any number of tags (distribution-spec, "Pushing Manifests"). */
export async function pushManifest(
  pushes: Pushes,
  plan: ManifestPlan,
  request: Incoming,
  mayImport: () => Promise<boolean>,
): Promise<Change> {
  const { registry, target, route } = plan;
  const { reference, tags } = route;
  await pushes.requirePush({ registry, target });
  const bytes = await request.readBody(manifestBytesMax);
  const answer = await pushes.putManifest({
    registry,
    target,
    reference,
    tags,
    bytes,
    contentType: request.headers['content-type'],
    algorithm: reference.kind === 'digest' ? algorithmOf(reference.digest) : 'sha256',
    mayImport,
  });
  const { digest } = answer;
  const headers: Record<string, string> = {
    ...apiVersionHeader,
    Location: formatRoute({ ...route, tags: [], reference: { kind: 'digest', digest } }),
    'Docker-Content-Digest': digest,
    'Cache-Status': localStatus('stored'),
  };
  if (answer.subject !== undefined) headers['OCI-Subject'] = answer.subject;
  if (tags.length > 0) headers['OCI-Tag'] = answer.tags.join(', ');
  const [hidden] = answer.hides;
  if (hidden !== undefined)
    headers['Warning'] = `299 - "the pushed tag ${hidden} hides the upstream's from now on"`;
  const reply: Reply = { status: 201, headers, body: '', note: { ...plan.note, digest } };
  return { reply, digest, tags: answer.tags };
}

/** DELETE: a tag alone, or a manifest with its tags (distribution-spec, "Deleting Manifests", "Deleting tags"). */
export async function deleteManifest(pushes: Pushes, plan: ManifestPlan): Promise<Change> {
  const { registry, target, route } = plan;
  const { digest, tags } = await pushes.deleteManifest({
    registry,
    target,
    reference: route.reference,
  });
  return { reply: deletedReply(plan.note, digest), digest, tags };
}

export function deletedReply(note: Reply['note'], digest: Digest): Reply {
  return {
    status: 202,
    headers: { ...apiVersionHeader, 'Cache-Status': localStatus('deleted') },
    body: '',
    note: { ...note, digest },
  };
}
