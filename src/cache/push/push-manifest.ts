import { createHash } from 'node:crypto';
import type { Digest, DigestAlgorithm } from '../../domain/names/digest.ts';
import { algorithmOf, hexOf, parseDigest } from '../../domain/names/digest.ts';
import { RegistryError } from '../../domain/errors.ts';
import { parsePushedManifest } from '../../domain/manifests/pushed-manifest.ts';
import type { EmbeddedContent } from '../../domain/manifests/pushed-manifest.ts';
import type { Reference } from '../../domain/names/reference.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { PutManifestInput, PutManifestResult } from '../../metadata/contract/rows.ts';
import { bringIn, requireRightSizes } from './check-content.ts';
import type { PushParts } from './push-parts.ts';
import { noRepository, requirePush } from './push-target.ts';
import type { PushRequest, PutManifestAnswer } from './pushes.ts';
import { answeringStorage } from '../space/storage-answer.ts';
import type { RepositoryMemory } from '../memory/repository-memory.ts';
import type { PullRequest } from '../pull-request.ts';
import { repositoryKey, identityOf } from '../pull-request.ts';

type PutRequest = PushRequest<'putManifest'>;

/** A manifest as a client pushes it: read strictly, what it names checked, stored with its tags in one transaction. */
export async function putManifest(
  parts: PushParts,
  request: PutRequest,
): Promise<PutManifestAnswer> {
  const startedAt = parts.clock.elapsed();
  await requirePush(parts, request);
  const put = readPut(parts, request);
  const { manifest, parsed, tags } = put;
  const { digest, mediaType, bytes } = manifest;
  const hidden = await answeringStorage('putManifest', parts.events, async () =>
    requireStored(request, await storeWhole(parts, request, put)),
  );
  const hides = tags.filter(
    (tag) => hidden.includes(tag) || parts.tagLists.knowsUpstreamTag(request, tag),
  );
  parts.events.emit({
    type: 'pushed',
    kind: 'manifest',
    repository: request.target.repository,
    digest,
    bytes: bytes.byteLength,
    durationMs: parts.clock.elapsed() - startedAt,
  });
  const subject = parsed.subject?.digest;
  return { digest, mediaType, size: bytes.byteLength, subject, tags, hides };
}

/** What is to be stored; throws where the bytes are no manifest, or not the one that was announced. */
function readPut({ settings, clock }: PushParts, request: PutRequest): PutManifestInput {
  const { bytes, contentType } = request;
  const { manifest: parsed, embedded } = parsePushedManifest(bytes, contentType);
  const digest = requireDigest(bytes, request.reference, request.algorithm);
  for (const content of embedded) requireEmbedded(content);
  const { createOnPush: create, sparseIndexes: sparse } = settings();
  return {
    ...repositoryKey(request),
    manifest: { digest, mediaType: parsed.mediaType, bytes },
    parsed,
    tags: tagsOf(request),
    create,
    sparse,
    provenance: 'pushed',
    rule: identityOf(request.target),
    now: clock.now(),
  };
}

/** Stores it; what upstream has in this very repository, and a client therefore did not push, is brought in first. */
async function storeWhole(
  parts: PushParts,
  request: PutRequest,
  put: PutManifestInput,
): Promise<PutManifestResult> {
  const gone = await requireRightSizes(parts, request, put.parsed);
  if (gone.length > 0 && !(await bringIn(parts, request, put.parsed, gone)))
    return { kind: 'missing', digests: gone };
  const result = await store(parts, request, put);
  if (result.kind !== 'missing') return result;
  const brought = await bringIn(parts, request, put.parsed, result.digests);
  return brought ? store(parts, request, put) : result;
}

async function store(
  { metadata, repositories }: PushParts,
  request: PutRequest,
  put: PutManifestInput,
): Promise<PutManifestResult> {
  const stopped = await repositories.isStopped(request);
  const stamp = repositories.stamp(request);
  let result: PutManifestResult | undefined;
  try {
    result = await metadata.manifests.putManifest({ ...put, stopped });
    return result;
  } finally {
    const isAlone = repositories.stamp(request) === stamp;
    // Of one that failed it is not known whether it was committed.
    if (result === undefined || result.kind === 'stored') repositories.noteChange(request);
    // What was deleted or pushed meanwhile may be younger.
    if (isAlone && result?.kind === 'stored') remember(repositories, request, put);
  }
}

/** The first pull after a push is a warm one. */
function remember(
  repositories: RepositoryMemory,
  request: PullRequest,
  put: PutManifestInput,
): void {
  const stamp = repositories.stamp(request);
  const { digest, mediaType, bytes } = put.manifest;
  const { provenance } = put;
  repositories.putManifest(request, { ...put.manifest, provenance }, stamp);
  const size = bytes.byteLength;
  const validatedAt = put.now;
  for (const tag of put.tags) {
    const row = {
      tag,
      digest,
      mediaType,
      size,
      source: '',
      validatedAt,
      status: 'ok',
      provenance,
    } as const;
    repositories.putTag(request, row, stamp);
  }
}

/** The tags that were hidden by this push; throws what kept it from being stored. */
function requireStored(
  request: PullRequest,
  result: PutManifestResult,
): PutManifestAnswer['hides'] {
  switch (result.kind) {
    case 'stored':
      return result.hides;
    case 'noRepository':
      throw noRepository(request);
    case 'immutable':
      throw new RegistryError(
        'tagImmutable',
        `the tag ${result.tag} is immutable here, and names another digest`,
        { detail: { tag: result.tag, digest: result.digest } },
      );
    case 'missing':
      throw new RegistryError(
        'manifestBlobUnknown',
        'the manifest names content that is not in this repository',
        { detail: { digests: result.digests, hint: 'push it, or mount it, before the manifest' } },
      );
  }
}

/** The digest of the bytes; `digestInvalid` where they were to have another. */
function requireDigest(
  bytes: Uint8Array,
  reference: Reference,
  algorithm: DigestAlgorithm,
): Digest {
  const by = reference.kind === 'digest' ? algorithmOf(reference.digest) : algorithm;
  const digest = parseDigest(`${by}:${createHash(by).update(bytes).digest('hex')}`);
  if (digest === undefined) throw new Error(`no digest of ${by}`);
  if (reference.kind === 'tag' || reference.digest === digest) return digest;
  throw new RegistryError('digestInvalid', 'the digest is not that of the manifest’s bytes', {
    detail: { digest: reference.digest, actual: digest },
  });
}

function tagsOf({ reference, tags }: PutRequest): Tag[] {
  return [...new Set(reference.kind === 'tag' ? [reference.tag, ...tags] : tags)];
}

/** A descriptor's own copy of its content must be that content (OCI image-spec descriptor.md, "Embedded Content"). */
function requireEmbedded({ where, digest, size, base64 }: EmbeddedContent): void {
  const content = Buffer.from(base64, 'base64');
  const algorithm = algorithmOf(digest);
  const isBase64 = /^[A-Za-z0-9+/]*={0,2}$/.test(base64) && base64.length % 4 === 0;
  if (
    isBase64 &&
    content.byteLength === size &&
    createHash(algorithm).update(content).digest('hex') === hexOf(digest)
  )
    return;
  throw new RegistryError('manifestInvalid', `${where}.data is not the content of its digest`, {
    detail: { field: `${where}.data`, digest, size },
  });
}
