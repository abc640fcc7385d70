import type { Asker } from '../../access/access.ts';
import type { Admission, Place } from '../../access/admission/admission.ts';
import { AccessRefused } from '../../access/admission/admission.ts';
import type { ManifestAnswer } from '../../cache/cache.ts';
import type { Pushes } from '../../cache/push/pushes.ts';
import { eachAtOnce } from '../../coordination/each-at-once.ts';
import { FairMemory } from '../../coordination/fair-memory.ts';
import { onceRead } from '../../coordination/call-attempt.ts';
import { RegistryError, repositoryUnknown } from '../../domain/errors.ts';
import type { ErrorCode } from '../../domain/errors.ts';
import { sourceOf } from '../../domain/names/client-source.ts';
import { parseDigest } from '../../domain/names/digest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Reference } from '../../domain/names/reference.ts';
import { parseTag } from '../../domain/names/tag.ts';
import type { Tag } from '../../domain/names/tag.ts';
import { actions } from '../../domain/policy/access-action.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { ContentChanges } from '../content-changes.ts';
import { keyOfRepository } from './held-images.ts';
import type { ImageId } from './image-listings.ts';
import type { Places, RepositoryInput } from '../places.ts';
import type { Pulls, Waiting } from '../pulls.ts';
import { changeRepository } from '../repository-change.ts';
import type { ChangeParts } from '../repository-change.ts';

export type ImageProblem =
  | 'unnamed'
  | 'digestInvalid'
  | 'tagInvalid'
  | 'unknown'
  /** The tag names another digest. */
  | 'mismatched'
  /** An index of the repository names it. */
  | 'referenced'
  | 'upstreamDenied'
  | 'upstreamLimited'
  | 'upstreamFailed';

export interface FailedImage {
  readonly image: ImageId;
  readonly problem: ImageProblem;
}

export interface GotImage {
  readonly tag: Tag | undefined;
  readonly manifest: ManifestAnswer;
}

export interface DeletedName {
  readonly digest: Digest;
  readonly tag: Tag | undefined;
}

export interface BatchInput extends RepositoryInput {
  /** At most 100. */
  readonly images: readonly ImageId[];
}

/** Several images of a repository at once, each with its own outcome; what concerns all of them is thrown as `RegistryError`. */
export interface ImageBatches {
  /**
   * Manifests, as pulls of each would be given. Throws `limitExceeded` where they are more than 16 MiB together, `tooManyRequests` where
   * the calls of one client, or of all, hold too many at once.
   */
  get(
    asker: Asker,
    input: BatchInput,
    waiting: Waiting,
  ): Promise<{ readonly images: readonly GotImage[]; readonly failures: readonly FailedImage[] }>;
  /** By a tag the tag, and the image where it was the last; by digest the image with its tags, unless an index that stays names it. */
  delete(
    asker: Asker,
    input: BatchInput,
  ): Promise<{
    readonly deleted: readonly DeletedName[];
    readonly failures: readonly FailedImage[];
  }>;
}

export interface ImageBatchesParts extends ChangeParts {
  readonly admission: Admission;
  readonly places: Places;
  readonly pulls: Pick<Pulls, 'manifest'>;
  readonly contentChanges: Pick<ContentChanges, 'deleteManifest'>;
  readonly pushes: Pick<Pushes, 'expireManifests'>;
  readonly metadata: Pick<Metadata, 'repositories' | 'manifests' | 'tags'>;
}

const atOnceMax = 4;
/** As texts in JSON they are one reply, of which one client may have 24 MiB under way (http/bodies/whole-bodies). */
const gotBytesMax = 16 * 1024 * 1024;
/** Of all calls together while they are gathered; of one client half of it. */
const gatheredBytesMax = 64 * 1024 * 1024;

export function createImageBatches(parts: ImageBatchesParts): ImageBatches {
  const gathered = new FairMemory({
    maxBytes: gatheredBytesMax,
    now: () => parts.clock.elapsed(),
    full: () => new RegistryError('tooManyRequests', 'Rate exceeded', { retryAfterMs: 1000 }),
  });
  return {
    get: async (asker, { images, ...input }, waiting) => {
      const place = parts.places.place(input, asker);
      using held = gathered.join(sourceOf(asker.from.address), () => {});
      held.complete();
      let bytes = 0;
      const outcomes = await eachAtOnce(images, atOnceMax, async (image) => {
        const got = await getOne(parts, asker, place, image, waiting);
        if (!('manifest' in got)) return got;
        bytes += got.manifest.size;
        if (bytes > gotBytesMax) throw tooMuch();
        held.add(got.manifest.size);
        return got;
      });
      // A pull of one image says the same of an image that is not there.
      if (outcomes.every((each) => 'problem' in each && each.problem === 'unknown'))
        await keyOfRepository(parts.metadata, place);
      return {
        images: outcomes.flatMap((each) => ('manifest' in each ? [each] : [])),
        failures: outcomes.flatMap((each) => ('problem' in each ? [each] : [])),
      };
    },
    delete: async (asker, { images, ...input }) => {
      const place = parts.places.place(input, asker);
      // Before they are looked for: what is there is not for everybody.
      await parts.admission.require(asker, place, [actions.delete]);
      await keyOfRepository(parts.metadata, place);
      const deleted: DeletedName[] = [];
      const failures: FailedImage[] = [];
      let looked = 0;
      const pass = async (some: readonly ImageId[]): Promise<void> => {
        for (const image of some) {
          looked += 1;
          const outcome = await deleteOne(parts, asker, place, image, `image ${looked}`);
          if ('problem' in outcome) failures.push(outcome);
          else deleted.push(...outcome.names);
        }
      };
      await pass(images);
      // An index that named them may have come after them.
      const again = failures.filter(({ problem }) => problem === 'referenced');
      if (deleted.length === 0 || again.length === 0) return { deleted, failures };
      const others = failures.filter(({ problem }) => problem !== 'referenced');
      failures.splice(0, failures.length, ...others);
      await pass(again.map(({ image }) => image));
      return { deleted, failures };
    },
  };
}

type Named = { readonly digest: Digest | undefined; readonly tag: Tag | undefined };

/** The names as values, or what is wrong with them. */
function read(image: ImageId): Named | FailedImage {
  const digest = image.digest === undefined ? undefined : parseDigest(image.digest);
  const tag = image.tag === undefined ? undefined : parseTag(image.tag);
  if (image.digest === undefined && image.tag === undefined) return { image, problem: 'unnamed' };
  if (image.digest !== undefined && digest === undefined)
    return { image, problem: 'digestInvalid' };
  if (image.tag !== undefined && tag === undefined) return { image, problem: 'tagInvalid' };
  return { digest, tag };
}

async function getOne(
  { pulls }: ImageBatchesParts,
  asker: Asker,
  place: Place,
  image: ImageId,
  waiting: Waiting,
): Promise<GotImage | FailedImage> {
  const named = read(image);
  if ('problem' in named) return named;
  const { digest, tag } = named;
  const reference = tag === undefined ? byDigest(digest) : ({ kind: 'tag', tag } as const);
  try {
    const request = { ...place, reference, method: 'GET' } as const;
    const manifest = await pulls.manifest(asker, request, waiting);
    if (digest !== undefined && manifest.digest !== digest) return { image, problem: 'mismatched' };
    return { tag, manifest };
  } catch (error) {
    return { image, problem: problemOf(error) };
  }
}

function byDigest(digest: Digest | undefined): Reference {
  if (digest === undefined) throw new Error('neither digest nor tag');
  return { kind: 'digest', digest };
}

/** What a failed pull is to its image; throws what concerns the whole request. */
function problemOf(error: unknown): ImageProblem {
  if (!(error instanceof RegistryError)) throw error;
  const isRefused = error instanceof AccessRefused;
  if (isRefused && error.reason !== 'notImported') throw error;
  if (error.code === 'manifestUnknown') return 'unknown';
  if (error.code === 'nameUnknown') {
    const name = error.detail?.['name'];
    throw typeof name === 'string' ? repositoryUnknown(name, error.because) : error;
  }
  // Only what upstream did names it.
  if (error.detail?.['upstream'] === undefined) throw error;
  const known = upstreamProblems[error.code];
  if (known === undefined) throw error;
  return known;
}

const upstreamProblems: Readonly<Partial<Record<ErrorCode, ImageProblem>>> = {
  denied: 'upstreamDenied',
  tooManyRequests: 'upstreamLimited',
  unavailable: 'upstreamFailed',
  upstreamInvalid: 'upstreamFailed',
  upstreamTimeout: 'upstreamFailed',
};

function tooMuch(): RegistryError {
  return new RegistryError('requestInvalid', 'the manifests are more than 16 MiB together', {
    kind: 'limitExceeded',
    detail: { hint: 'ask for fewer at once' },
  });
}

async function deleteOne(
  parts: ImageBatchesParts,
  asker: Asker,
  place: Place,
  image: ImageId,
  /** What is found of it, to every attempt of the call. */
  name: string,
): Promise<{ readonly names: readonly DeletedName[] } | FailedImage> {
  const named = read(image);
  if ('problem' in named) return named;
  const { tag } = named;
  const found = await onceRead(name, () => findNamed(parts, place, named));
  if (found === undefined) return { image, problem: 'unknown' };
  const { digest } = found;
  const isWhole = tag === undefined || found.tags.every((each) => each === tag);
  if (isWhole && (await deleteWhole(parts, asker, place, found)))
    return {
      names:
        found.tags.length === 0
          ? [{ digest, tag: undefined }]
          : found.tags.map((each) => ({ digest, tag: each })),
    };
  if (tag === undefined) return { image, problem: 'referenced' };
  await parts.contentChanges.deleteManifest(asker, place, { kind: 'tag', tag });
  return { names: [{ digest, tag }] };
}

/** `undefined`: it is not there, or the tag names another. */
async function findNamed(
  { metadata }: Pick<ImageBatchesParts, 'metadata'>,
  { registry, target }: Place,
  { digest: asked, tag }: Named,
): Promise<{ readonly digest: Digest; readonly tags: readonly Tag[] } | undefined> {
  const key = { registry, repository: target.repository };
  const digest = tag === undefined ? asked : (await metadata.tags.findTag(key, tag))?.digest;
  if (digest === undefined || (asked ?? digest) !== digest) return undefined;
  const [found] = await metadata.manifests.findManifests(key, [digest]);
  return found && { digest, tags: found.tags };
}

/** False where an index names it, or it is not as it was. */
function deleteWhole(
  parts: ImageBatchesParts,
  asker: Asker,
  place: Place,
  { digest, tags }: { readonly digest: Digest; readonly tags: readonly Tag[] },
): Promise<boolean> {
  return changeRepository(parts, asker, place, {
    right: [actions.delete],
    action: actions.delete,
    apply: async () => {
      const images = [{ digest, tags }];
      return (await parts.pushes.expireManifests({ ...place, images })).length > 0;
    },
    audited: (done) =>
      done
        ? { detail: { digest, ...(tags.length === 0 ? {} : { tags: tags.join(' ') }) } }
        : undefined,
  });
}
