import type { Caller } from '../../access/access.ts';
import type { ChunkRange, Pushes, UploadState } from '../../cache/push/pushes.ts';
import { isEmptyBlob } from '../../domain/names/digest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import { describePrincipal } from '../../domain/policy/principal.ts';
import type { RegistryKey } from '../../domain/names/registry.ts';
import type { RepositoryName } from '../../domain/names/repository-name.ts';
import type { Incoming, Reply } from '../../http/reply.ts';
import { apiVersionHeader, localStatus } from './errors.ts';
import type { RepositoryPlan } from './plan.ts';
import { formatRoute } from './route.ts';
import type { UploadRoute } from './route.ts';
import type { Change } from './told-changes.ts';

export type StartPlan = RepositoryPlan<Extract<UploadRoute, { readonly kind: 'uploads' }>>;
export type UploadPlan = RepositoryPlan<Extract<UploadRoute, { readonly kind: 'upload' }>>;

/** Bytes: the least that a chunk but the last should have; smaller ones are taken too (distribution-spec, "Pushing a blob in chunks"). */
const chunkBytesMin = 1;

/** What a mount may take, asked before it does: what may not be mounted is uploaded. */
export interface MountRights {
  /** Whether a blob may be made this repository's at all. */
  allowed(): Promise<boolean>;
  /** Throws where the token alone is in the way. */
  mayMount(source: {
    readonly registry: RegistryKey;
    readonly repository: RepositoryName;
  }): Promise<boolean>;
}

/** True for the POST that carries the blob itself; one that says its digest alone begins an upload. */
export function isWholeBlob({ mount, digest }: StartPlan['route'], request: Incoming): boolean {
  return mount === undefined && digest !== undefined && (hasBody(request) || isEmptyBlob(digest));
}

/** POST with `digest` and a body: a whole blob (distribution-spec, "Single POST"). */
export async function pushBlob(
  pushes: Pushes,
  plan: StartPlan,
  caller: Caller,
  request: Incoming,
): Promise<Change> {
  const { digest } = plan.route;
  if (digest === undefined) throw new Error('a whole blob has its digest');
  await pushes.putBlob(
    {
      ...pushRequest(plan),
      owner: ownerOf(caller),
      digest,
      bytes: request.bodyBytes,
      body: request.body,
    },
    request.signal,
  );
  return { reply: created(plan, digest), digest };
}

/** POST: a mount, or the beginning of an upload (distribution-spec, "Pushing Blobs", "Mounting a blob"). */
export async function startUpload(
  pushes: Pushes,
  plan: StartPlan,
  caller: Caller,
  rights: MountRights,
): Promise<Change> {
  const { mount: digest, algorithm } = plan.route;
  if (digest !== undefined) {
    const from = await mount(pushes, plan, digest, rights);
    if (from !== undefined) return { reply: created(plan, digest), digest, from };
  }
  const upload = await pushes.startUpload({
    ...pushRequest(plan),
    owner: ownerOf(caller),
    algorithm,
  });
  return {
    reply: accepted(plan, upload, { 'OCI-Chunk-Min-Length': String(chunkBytesMin) }),
  };
}

/** Where the blob, which is this repository's now, was mounted from. A source that may not be read is as good as none. */
async function mount(
  pushes: Pushes,
  plan: StartPlan,
  digest: Digest,
  rights: MountRights,
): Promise<RepositoryName | undefined> {
  if (!(await rights.allowed())) return undefined;
  const { registry, route } = plan;
  const push = { ...pushRequest(plan), digest };
  let narrow: unknown;
  for (const from of await pushes.mountSources({ ...push, from: route.from })) {
    try {
      if (!(await rights.mayMount({ registry, repository: from }))) continue;
    } catch (error) {
      // Another source may be within the token.
      narrow ??= error;
      continue;
    }
    if (await pushes.mountBlob({ ...push, from })) return from;
  }
  if (narrow !== undefined) throw narrow;
  return undefined;
}

/** GET: how far the upload has come. */
export async function uploadStatus(pushes: Pushes, plan: UploadPlan): Promise<Reply> {
  const state = await pushes.uploadState({ ...pushRequest(plan), id: plan.route.id });
  return { ...progress(plan, state), status: 204 };
}

/** PATCH: a chunk with its place, or a stream without one. */
export async function appendUpload(
  pushes: Pushes,
  plan: UploadPlan,
  request: Incoming,
): Promise<Reply> {
  const state = await pushes.appendUpload(
    {
      ...pushRequest(plan),
      id: plan.route.id,
      range: chunkRange(request),
      bytes: request.bodyBytes,
      body: request.body,
    },
    request.signal,
  );
  return accepted(plan, state);
}

/** PUT: the last chunk, or none, and the digest of it all. */
export async function finishUpload(
  pushes: Pushes,
  plan: UploadPlan,
  request: Incoming,
): Promise<Change> {
  const { id, digest } = plan.route;
  if (digest === undefined)
    throw new RegistryError('digestInvalid', 'the parameter digest is missing', {
      detail: { field: 'digest', fix: 'end the upload with PUT …?digest=sha256:<64 hex digits>' },
    });
  await pushes.finishUpload(
    {
      ...pushRequest(plan),
      id,
      digest,
      range: chunkRange(request),
      bytes: request.bodyBytes,
      body: request.body,
    },
    request.signal,
  );
  return { reply: created(plan, digest), digest };
}

/** DELETE: the upload is given up. */
export async function cancelUpload(pushes: Pushes, plan: UploadPlan): Promise<Reply> {
  await pushes.cancelUpload({ ...pushRequest(plan), id: plan.route.id });
  return {
    status: 204,
    headers: { ...apiVersionHeader, 'Cache-Status': localStatus('cancelled') },
    note: plan.note,
  };
}

/** The headers of a 416: where the upload is, and how far it has come. */
export function uploadHeaders(
  plan: Pick<RepositoryPlan<UploadRoute>, 'route'>,
  { id, size }: UploadState,
): Record<string, string> {
  const { before, name, ns } = plan.route;
  return {
    Location: formatRoute({ kind: 'upload', before, name, ns, id, digest: undefined }),
    // There is no way to write an empty range: distribution and its clients write its first byte.
    Range: `0-${Math.max(0, size - 1)}`,
    'Docker-Upload-UUID': id,
  };
}

function progress(plan: StartPlan | UploadPlan, state: UploadState): Omit<Reply, 'status'> {
  return {
    headers: {
      ...apiVersionHeader,
      ...uploadHeaders(plan, state),
      'Cache-Status': localStatus('upload'),
    },
    note: plan.note,
  };
}

function accepted(
  plan: StartPlan | UploadPlan,
  state: UploadState,
  extra: Readonly<Record<string, string>> = {},
): Reply {
  const { headers, note } = progress(plan, state);
  return { status: 202, headers: { ...headers, ...extra }, body: '', note };
}

function created(plan: StartPlan | UploadPlan, digest: Digest): Reply {
  const { before, name, ns } = plan.route;
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

function pushRequest({
  registry,
  target,
}: RepositoryPlan): Pick<RepositoryPlan, 'registry' | 'target'> {
  return { registry, target };
}

/** For whom open uploads are counted: nobody takes all the room. */
function ownerOf({ principal }: Caller): string {
  return describePrincipal(principal);
}

/** A request without a body: no length, or a length of 0. */
function hasBody(request: Incoming): boolean {
  return request.headers['transfer-encoding'] !== undefined || (request.bodyBytes ?? 0) > 0;
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
