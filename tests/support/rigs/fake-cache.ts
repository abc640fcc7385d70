import type {
  BlobAnswer,
  Cache,
  ManifestAnswer,
  ManifestRequest,
} from '../../../src/cache/cache.ts';
import type { ByteSource } from '../../../src/domain/byte-source.ts';
import type { Digest } from '../../../src/domain/names/digest.ts';
import { RegistryError } from '../../../src/domain/errors.ts';
import type { Descriptor } from '../../../src/domain/manifests/manifest.ts';
import type { CacheOutcome } from '../../../src/domain/verdict.ts';
import type { PullRequest } from '../../../src/cache/pull-request.ts';
import { digestOf } from '../samples/digest.ts';

/** A cache in memory that records what it is asked: what the front-end is tested against. */
export interface FakeCache extends Cache {
  /** In order: `manifest GET docker.io/library/nginx latest`. */
  readonly calls: string[];
  /** For each call whether it was asked of what is held alone; its rule is there in either case. */
  readonly heldOnly: boolean[];
  /** Readers of blobs opened and closed. */
  readonly readers: { opened: number; closed: number };
  /** Thrown by every call while set. */
  failure: Error | undefined;
  outcome: CacheOutcome;
  /** While true manifests that are held are in memory: they are answered without waiting, and no call is recorded. */
  warm: boolean;
  /** While true blobs don't say their size. */
  sizeUnknown: boolean;
  /** Blobs end, by an error, after so many bytes. */
  breakAfter: number | undefined;
  /** By which; an error of no kind where it is absent. */
  breakWith: Error | undefined;
  addManifest(repository: string, tag: string | undefined, mediaType: string, text: string): Digest;
  addBlob(repository: string, bytes: Uint8Array): Digest;
  addReferrer(repository: string, subject: Digest, descriptor: Descriptor): void;
}

interface Held {
  readonly manifests: Map<
    string,
    { readonly digest: Digest; readonly mediaType: string; readonly bytes: Uint8Array }
  >;
  readonly blobs: Map<Digest, Uint8Array>;
  readonly referrers: Map<Digest, Descriptor[]>;
}

export function createFakeCache(): FakeCache {
  const repositories = new Map<string, Held>();
  const held = (repository: string): Held => {
    const there = repositories.get(repository) ?? {
      manifests: new Map(),
      blobs: new Map(),
      referrers: new Map(),
    };
    repositories.set(repository, there);
    return there;
  };
  const called = (call: string, { heldOnly }: PullRequest): void => {
    fake.calls.push(call);
    fake.heldOnly.push(heldOnly === true);
    if (fake.failure !== undefined) throw fake.failure;
  };

  const answerOf = (request: ManifestRequest): ManifestAnswer | undefined => {
    const { target, reference, method } = request;
    const asked = reference.kind === 'tag' ? reference.tag : reference.digest;
    const found = held(target.repository).manifests.get(asked);
    return (
      found && {
        ...found,
        size: found.bytes.length,
        bytes: method === 'GET' ? found.bytes : undefined,
        outcome: fake.outcome,
      }
    );
  };

  const fake: FakeCache = {
    calls: [],
    heldOnly: [],
    readers: { opened: 0, closed: 0 },
    failure: undefined,
    outcome: { verdict: 'hit' },
    warm: false,
    sizeUnknown: false,
    breakAfter: undefined,
    breakWith: undefined,
    addManifest: (repository, tag, mediaType, text) => {
      const bytes = new Uint8Array(Buffer.from(text));
      const digest = digestOf(bytes);
      held(repository).manifests.set(digest, { digest, mediaType, bytes });
      if (tag !== undefined) held(repository).manifests.set(tag, { digest, mediaType, bytes });
      return digest;
    },
    addBlob: (repository, bytes) => {
      const digest = digestOf(bytes);
      held(repository).blobs.set(digest, bytes);
      return digest;
    },
    addReferrer: (repository, subject, descriptor) => {
      const { referrers } = held(repository);
      referrers.set(subject, [...(referrers.get(subject) ?? []), descriptor]);
    },
    peekManifest: (request) => (fake.warm ? answerOf(request) : undefined),
    pullManifest: async (request): Promise<ManifestAnswer> => {
      const { target, reference, method } = request;
      const asked = reference.kind === 'tag' ? reference.tag : reference.digest;
      called(`manifest ${method} ${target.repository} ${asked}`, request);
      const answer = answerOf(request);
      if (answer === undefined) throw new RegistryError('manifestUnknown', 'manifest unknown');
      return answer;
    },
    pullBlob: async (request): Promise<BlobAnswer> => {
      const { target, digest, method } = request;
      called(`blob ${method} ${target.repository} ${digest}`, request);
      const bytes = held(target.repository).blobs.get(digest);
      if (bytes === undefined) throw new RegistryError('blobUnknown', 'blob unknown');
      const size = fake.sizeUnknown ? undefined : bytes.length;
      return { digest, size, source: sourceOf(bytes, size, fake), outcome: fake.outcome };
    },
    listTags: async (request) => {
      const { target, n, last } = request;
      called(`tags ${target.repository} n=${n} last=${last}`, request);
      const after = [...held(target.repository).manifests.keys()]
        .filter((key) => !key.includes(':') && key > last)
        .toSorted();
      return { tags: after.slice(0, n), more: after.length > n, outcome: fake.outcome };
    },
    listReferrers: async (request) => {
      const { target, subject } = request;
      called(`referrers ${target.repository} ${subject}`, request);
      return {
        descriptors: held(target.repository).referrers.get(subject) ?? [],
        outcome: fake.outcome,
      };
    },
  };
  return fake;
}

function sourceOf(bytes: Uint8Array, size: number | undefined, fake: FakeCache): ByteSource {
  return {
    size,
    open: async (span) => {
      fake.readers.opened += 1;
      let at = span?.start ?? 0;
      const end = span === undefined ? bytes.length : span.end + 1;
      return {
        read: async (into) => {
          if (fake.breakAfter !== undefined && at >= fake.breakAfter)
            throw fake.breakWith ?? new Error('the source broke');
          const stop = Math.min(end, at + into.length, fake.breakAfter ?? end);
          into.set(bytes.subarray(at, stop));
          const count = stop - at;
          at = stop;
          return count;
        },
        [Symbol.asyncDispose]: async () => {
          fake.readers.closed += 1;
        },
      };
    },
  };
}
