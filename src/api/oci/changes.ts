import type { Place } from '../../access/admission/admission.ts';
import type { ChunkRange, UploadState } from '../../cache/push/pushes.ts';
import { RegistryError } from '../../domain/errors.ts';
import { manifestBytesMax } from '../../domain/manifests/manifest.ts';
import { isEmptyBlob } from '../../domain/names/digest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Incoming, Reply } from '../../http/reply.ts';
import type { Chunk, ContentChanges } from '../../operations/content-changes.ts';
import { apiVersionHeader, localStatus } from './errors.ts';
import type { ManifestRoute } from './manifests.ts';
import type { Asked, RepositoryPlan } from './plan.ts';
import { formatRoute } from './route.ts';
import type { AskedName, RepositoryRoute, UploadRoute } from './route.ts';

type StartRoute = Extract<UploadRoute, { readonly kind: 'uploads' }>;
type OpenRoute = Extract<UploadRoute, { readonly kind: 'upload' }>;

/** A request that changes something, its route apart, so that it is known which. */
interface Sent<Route extends RepositoryRoute> extends Asked {
  readonly route: Route;
}

/** Bytes: the least that a chunk but the last should have; smaller ones are taken too (distribution-spec, "Pushing a blob in chunks"). */
const chunkBytesMin = 1;

/** Pushes and deletions, and how far an upload has come. */
export async function changeContent(changes: ContentChanges, asked: Asked): Promise<Reply> {
  const { plan, request } = asked;
  const { route } = plan;
  switch (route.kind) {
    case 'uploads':
      return beginUpload(changes, { ...asked, route });
    case 'upload':
      return changeUpload(changes, { ...asked, route });
    case 'manifest':
      return request.method === 'PUT'
        ? pushManifest(changes, { ...asked, route })
        : deleteManifest(changes, { ...asked, route });
    case 'blob':
      await changes.deleteBlob(asked, placeOf(plan), route.digest);
      return deletedReply(plan.note, route.digest);
    case 'tags':
    case 'referrers':
      throw new RegistryError('unsupported', 'lists are read alone');
  }
}

/** PUT: the exact bytes under a tag, or under their digest with any number of tags (distribution-spec, "Pushing Manifests"). */
async function pushManifest(changes: ContentChanges, sent: Sent<ManifestRoute>): Promise<Reply> {
  const { plan, route, request } = sent;
  const answer = await changes.putManifest(sent, placeOf(plan), route, async () => ({
    bytes: await request.readBody(manifestBytesMax),
    contentType: request.headers['content-type'],
  }));
  const { digest } = answer;
  const headers: Record<string, string> = {
    ...apiVersionHeader,
    Location: formatRoute({ ...route, tags: [], reference: { kind: 'digest', digest } }),
    'Docker-Content-Digest': digest,
    'Cache-Status': localStatus('stored'),
  };
  if (answer.subject !== undefined) headers['OCI-Subject'] = answer.subject;
  if (route.tags.length > 0) headers['OCI-Tag'] = answer.tags.join(', ');
  const [hidden] = answer.hides;
  if (hidden !== undefined)
    headers['Warning'] = `299 - "the pushed tag ${hidden} hides the upstream's from now on"`;
  return { status: 201, headers, body: '', note: { ...plan.note, digest } };
}

/** DELETE: a tag alone, or a manifest with its tags (distribution-spec, "Deleting Manifests", "Deleting tags"). */
async function deleteManifest(changes: ContentChanges, sent: Sent<ManifestRoute>): Promise<Reply> {
  const { plan, route } = sent;
  const { digest } = await changes.deleteManifest(sent, placeOf(plan), route.reference);
  return deletedReply(plan.note, digest);
}

function deletedReply(note: Reply['note'], digest: Digest): Reply {
  return {
    status: 202,
    headers: { ...apiVersionHeader, 'Cache-Status': localStatus('deleted') },
    body: '',
    note: { ...note, digest },
  };
}

/** POST: a whole blob, a mount, or the beginning of an upload (distribution-spec, "Pushing Blobs", "Mounting a blob"). */
async function beginUpload(changes: ContentChanges, sent: Sent<StartRoute>): Promise<Reply> {
  const { plan, route, request } = sent;
  const { mount, digest, from, algorithm } = route;
  const place = placeOf(plan);
  if (mount === undefined && digest !== undefined && (hasBody(request) || isEmptyBlob(digest))) {
    const blob = { digest, bytes: request.bodyBytes, body: request.body };
    await changes.putBlob(sent, place, blob, request.signal);
    return created(sent, digest);
  }
  const asked = mount === undefined ? undefined : { digest: mount, from };
  const begun = await changes.startUpload(sent, place, algorithm, asked);
  return begun.kind === 'upload'
    ? accepted(sent, begun.upload, { 'OCI-Chunk-Min-Length': String(chunkBytesMin) })
    : created(sent, begun.digest);
}

/** An upload that has begun: a chunk with its place or a stream without one, its end, its being given up, or how far it has come. */
async function changeUpload(changes: ContentChanges, sent: Sent<OpenRoute>): Promise<Reply> {
  const { plan, route, request } = sent;
  const place = placeOf(plan);
  const { id } = route;
  switch (request.method) {
    case 'PATCH': {
      const read = (): Chunk => chunkOf(request);
      return accepted(sent, await changes.appendUpload(sent, place, id, read, request.signal));
    }
    case 'PUT': {
      const read = (): Chunk & { readonly digest: Digest } => ({
        digest: requireDigest(route),
        ...chunkOf(request),
      });
      return created(sent, await changes.finishUpload(sent, place, id, read, request.signal));
    }
    case 'DELETE':
      await changes.cancelUpload(sent, place, id);
      return {
        status: 204,
        headers: { ...apiVersionHeader, 'Cache-Status': localStatus('cancelled') },
        note: plan.note,
      };
    default:
      return { ...progress(sent, await changes.uploadState(sent, place, id)), status: 204 };
  }
}

function requireDigest({ digest }: OpenRoute): Digest {
  if (digest !== undefined) return digest;
  throw new RegistryError('digestInvalid', 'the parameter digest is missing', {
    detail: { field: 'digest', fix: 'end the upload with PUT …?digest=sha256:<64 hex digits>' },
  });
}

function placeOf({ registry, target }: RepositoryPlan): Place {
  return { registry, target };
}

/** The headers of a 416: where the upload is, and how far it has come. */
export function uploadHeaders(
  { before, name, ns }: AskedName,
  { id, size }: UploadState,
): Record<string, string> {
  return {
    Location: formatRoute({ kind: 'upload', before, name, ns, id, digest: undefined }),
    // There is no way to write an empty range: distribution and its clients write its first byte.
    Range: `0-${Math.max(0, size - 1)}`,
    'Docker-Upload-UUID': id,
  };
}

function progress({ plan, route }: Sent<UploadRoute>, state: UploadState): Omit<Reply, 'status'> {
  return {
    headers: {
      ...apiVersionHeader,
      ...uploadHeaders(route, state),
      'Cache-Status': localStatus('upload'),
    },
    note: plan.note,
  };
}

function accepted(
  sent: Sent<UploadRoute>,
  state: UploadState,
  extra: Readonly<Record<string, string>> = {},
): Reply {
  const { headers, note } = progress(sent, state);
  return { status: 202, headers: { ...headers, ...extra }, body: '', note };
}

function created({ plan, route }: Sent<UploadRoute>, digest: Digest): Reply {
  const { before, name, ns } = route;
  return {
    status: 201,
    headers: {
      ...apiVersionHeader,
      Location: formatRoute({ kind: 'blob', before, name, ns, digest }),
      'Docker-Content-Digest': digest,
      'Cache-Status': localStatus('stored'),
    },
    body: '',
    note: { ...plan.note, digest },
  };
}

/** A request without a body: no length, or a length of 0. */
function hasBody(request: Incoming): boolean {
  return request.headers['transfer-encoding'] !== undefined || (request.bodyBytes ?? 0) > 0;
}

function chunkOf(request: Incoming): Chunk {
  return { range: chunkRange(request), bytes: request.bodyBytes, body: request.body };
}

/** `0-1023`, both ends included; also in HTTP's own form, `bytes 0-1023/*`, whose total says nothing that the upload's end does not. */
function chunkRange(request: Incoming): ChunkRange | undefined {
  const header = request.headers['content-range'];
  if (header === undefined) return undefined;
  const match = /^(?:bytes(?:=|[ \t]+))?(\d{1,15})-(\d{1,15})(?:\/(?:\d{1,15}|\*))?$/i.exec(
    header.trim(),
  );
  const start = Number(match?.[1]);
  const end = Number(match?.[2]);
  if (match !== null && start <= end) return { start, end };
  throw new RegistryError('uploadInvalid', 'Content-Range: <start>-<end> is expected', {
    detail: { field: 'Content-Range', value: header.slice(0, 100) },
  });
}
