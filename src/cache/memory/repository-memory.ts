import { StampedMemory } from '../../coordination/stamped-memory.ts';
import { RegistryError } from '../../domain/errors.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { TagMutability } from '../../domain/names/tag-mutability.ts';
import { isTagImmutable } from '../../domain/names/tag-mutability.ts';
import { rootPrefix } from '../../domain/rules/rule-set.ts';
import { failure, UpstreamFailure } from '../../domain/upstream-failure.ts';
import type { Metadata } from '../../metadata/contract/metadata.ts';
import type { StoredManifest, StoredTag } from '../../metadata/contract/rows.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Invalidation, Invalidations } from '../../ports/invalidations.ts';
import type { PullRequest } from '../pull-request.ts';
import { memoryKey, repositoryKey, ruledKey } from '../pull-request.ts';
import { holdsManifest } from '../whose-bytes.ts';
import { sizeOfKey } from './memory-size.ts';
import { isOwn } from './tag-freshness.ts';

const repositoriesMax = 20_000;
const blobsMax = 50_000;
const manifestBytesMax = 64 * 1024 * 1024;
const tagBytesMax = 24 * 1024 * 1024;
/** How long an entry is believed: a change that no invalidation announced is seen after it. */
const believeMs = 300_000;

interface Settings {
  readonly pushed: boolean;
  readonly stopped: boolean;
  /** Absent where there is no repository yet. */
  readonly tagMutability: TagMutability | undefined;
}

/** A blob that a repository was found to hold. */
export interface HeldBlob {
  readonly size: number;
  readonly pushed: boolean;
}

/**
 * What metadata says of repositories, as last read or written, so that a warm answer costs neither disk nor SQL. All of it
 * counts under the repository's stamp, which every change renews. Whoever remembers something gives the stamp that was current
 * before it was read or written: so nothing that a delete took away, or a push replaced, is served or remembered by a pull that
 * was under way. Where metadata can't be read, what was read before still counts.
 */
export class RepositoryMemory {
  readonly #metadata: Pick<Metadata, 'manifests' | 'repositories' | 'tags'>;
  readonly #clock: Pick<Clock, 'elapsed'>;
  /** Monotonic ms: one look at the clock for a stamp and all that is looked at under it. */
  #stampedAt = 0;
  readonly #invalidations: Invalidations;
  /** By registry and repository. */
  readonly #stamps = new Map<string, number>();
  #lastStamp = 0;
  /** The stamp of all repositories that are not in the map. */
  #otherStamp = 0;
  readonly #settings: StampedMemory<Settings>;
  /** What pulls have found since, by the rule: metadata may lag behind, or be unable to write it. */
  readonly #stops: StampedMemory<boolean>;
  readonly #manifests: StampedMemory<StoredManifest>;
  readonly #tags: StampedMemory<StoredTag>;
  readonly #blobs: StampedMemory<HeldBlob>;

  constructor(
    metadata: Pick<Metadata, 'manifests' | 'repositories' | 'tags'>,
    clock: Pick<Clock, 'elapsed'>,
    invalidations: Invalidations,
  ) {
    this.#metadata = metadata;
    this.#invalidations = invalidations;
    this.#clock = clock;
    this.#settings = new StampedMemory(clock, { entriesMax: repositoriesMax, believeMs });
    this.#stops = new StampedMemory(clock, { entriesMax: repositoriesMax, believeMs });
    this.#manifests = new StampedMemory(clock, {
      believeMs,
      bytesMax: manifestBytesMax,
      // A reply that is made of one keeps its bytes as text beside them.
      bytesOf: ({ bytes }, key) => 2 * bytes.length + 1024 + sizeOfKey(key),
    });
    this.#tags = new StampedMemory(clock, {
      believeMs,
      bytesMax: tagBytesMax,
      bytesOf: ({ source }, key) => 512 + 2 * source.length + sizeOfKey(key),
    });
    this.#blobs = new StampedMemory(clock, { entriesMax: blobsMax, believeMs });
    invalidations.subscribe((each) => this.#hear(each));
  }

  /** For what is looked at in the same turn, and for what is remembered later. */
  stamp({ registry, target }: PullRequest): number {
    this.#stampedAt = this.#clock.elapsed();
    if (this.#stamps.size === 0) return this.#otherStamp;
    return this.#stamps.get(`${registry} ${target.repository}`) ?? this.#otherStamp;
  }

  /** Something was pushed, deleted or set: called after the commit, before it is acknowledged. */
  noteChange(request: PullRequest): void {
    this.#invalidations.note({ kind: 'repository', ...repositoryKey(request) });
  }

  /**
   * A write that changes the repository: noted after its commit, before it is acknowledged, and also where it failed, since it is
   * not known then whether it was committed. `isChange`: whether its result says that anything is another now.
   */
  async change<T>(
    request: PullRequest,
    write: () => Promise<T>,
    isChange: (result: T) => boolean = () => true,
  ): Promise<T> {
    let hasChanged = true;
    try {
      const result = await write();
      hasChanged = isChange(result);
      return result;
    } finally {
      if (hasChanged) this.noteChange(request);
    }
  }

  #hear(invalidation: Invalidation): void {
    const { kind } = invalidation;
    // What a rule brought is told apart by its identity.
    if (kind !== 'repository' && kind !== 'missed' && kind !== 'configuration') return;
    if (kind === 'configuration') return this.#clear();
    this.#lastStamp += 1;
    if (kind === 'repository' && this.#stamps.size < repositoriesMax) {
      this.#stamps.set(`${invalidation.registry} ${invalidation.repository}`, this.#lastStamp);
      return;
    }
    this.#stamps.clear();
    this.#otherStamp = this.#lastStamp;
  }

  #clear(): void {
    this.#settings.clear();
    this.#stops.clear();
    this.#manifests.clear();
    this.#tags.clear();
    this.#blobs.clear();
  }

  /**
   * The request, limited to what is here where its rule is ROOT and something was pushed to the repository: then the name is
   * ours, and a tag that was not pushed is no tag of whatever bears the same name at ROOT's upstream. What was pulled before
   * stays ROOT's: readable while ROOT leads where it led then. At once where the repository is known.
   */
  withoutRootIfOwn<R extends PullRequest>(request: R): R | Promise<R> {
    const known = this.peekWithoutRootIfOwn(request);
    if (known !== undefined) return known;
    return this.#settingsOf(request).then(({ pushed }) => (pushed ? heldOnly(request) : request));
  }

  /** The same without waiting; `undefined` where it must be read first. */
  peekWithoutRootIfOwn<R extends PullRequest>(request: R): R | undefined {
    if (request.target.rule?.prefix !== rootPrefix) return request;
    const known = this.#settings.get(memoryKey(request, ''), this.stamp(request));
    return known?.pushed === true ? heldOnly(request) : known && request;
  }

  /** Whether a client has pushed anything into the repository. */
  async isPushed(request: PullRequest): Promise<boolean> {
    return (await this.#settingsOf(request)).pushed;
  }

  /** Whether a denied check has stopped the repository (`onFailure.denied: stop`): tags and digests, until a check succeeds. */
  async isStopped(request: PullRequest): Promise<boolean> {
    // Only a rule that says `stop` can stop a repository; for all others there is nothing to look up.
    if (request.target.rule?.onFailure.denied !== 'stop') return false;
    const found = this.#stops.get(ruledKey(request, ''), this.stamp(request));
    return found ?? (await this.#settingsOf(request)).stopped;
  }

  stop(request: PullRequest): void {
    this.#stops.set(ruledKey(request, ''), true, this.stamp(request));
  }

  liftStop(request: PullRequest): void {
    this.#stops.set(ruledKey(request, ''), false, this.stamp(request));
  }

  /** Whether the repository's setting keeps the tag where it is. False where metadata can't be read: a move needs it too. */
  async isImmutable(request: PullRequest, tag: Tag): Promise<boolean> {
    const settings = await this.#settingsOf(request).catch(() => undefined);
    return settings?.tagMutability !== undefined && isTagImmutable(settings.tagMutability, tag);
  }

  /** Without waiting: what is in memory now. One that came through another rule than leads here now is not found. */
  peekManifest(request: PullRequest, digest: Digest, stamp: number): StoredManifest | undefined {
    const known = this.#manifests.get(memoryKey(request, digest), stamp, this.#stampedAt);
    return known !== undefined && holdsManifest(known, request.target.rule) ? known : undefined;
  }

  /** From memory, else from metadata, then remembered. */
  async findManifest(request: PullRequest, digest: Digest): Promise<StoredManifest | undefined> {
    const found = await this.#find(this.#manifests, request, digest, () =>
      this.#metadata.manifests.findManifest(repositoryKey(request), digest),
    );
    return found !== undefined && holdsManifest(found, request.target.rule) ? found : undefined;
  }

  putManifest(request: PullRequest, manifest: StoredManifest, stamp: number): void {
    this.#manifests.set(memoryKey(request, manifest.digest), manifest, stamp);
  }

  peekTag(request: PullRequest, tag: Tag, stamp: number): StoredTag | undefined {
    return this.#tags.get(memoryKey(request, tag), stamp, this.#stampedAt);
  }

  findTag(request: PullRequest, tag: Tag): Promise<StoredTag | undefined> {
    return this.#find(this.#tags, request, tag, () =>
      this.#metadata.tags.findTag(repositoryKey(request), tag),
    );
  }

  /**
   * The tag if a client pushed it, maybe while upstream was being asked about it: upstream must not move it. `undefined` where
   * metadata can't be read: the write that would move it fails too.
   */
  async findOwnTag(request: PullRequest, tag: Tag): Promise<StoredTag | undefined> {
    const known = await this.findTag(request, tag).catch(() => undefined);
    return known !== undefined && isOwn(known) ? known : undefined;
  }

  putTag(request: PullRequest, tag: StoredTag, stamp: number): void {
    this.#tags.set(memoryKey(request, tag.tag), tag, stamp);
  }

  /** A blob that the repository holds by the rule that leads there now, as it was when it was last looked for. */
  peekBlob(request: PullRequest, digest: Digest, stamp: number): HeldBlob | undefined {
    return this.#blobs.get(ruledKey(request, digest), stamp, this.#stampedAt);
  }

  /** The same, however long ago it was looked for: for where metadata can't be read. */
  lastBlob(request: PullRequest, digest: Digest, stamp: number): HeldBlob | undefined {
    return this.#blobs.last(ruledKey(request, digest), stamp);
  }

  putBlob(request: PullRequest, digest: Digest, blob: HeldBlob, stamp: number): void {
    this.#blobs.set(ruledKey(request, digest), blob, stamp);
  }

  async #settingsOf(request: PullRequest): Promise<Settings> {
    const found = await this.#find(this.#settings, request, '', async () => {
      const row = await this.#metadata.repositories.findRepository(repositoryKey(request));
      return {
        pushed: row?.pushed === true,
        stopped: row?.stopped !== undefined,
        tagMutability: row?.tagMutability,
      };
    });
    return found as Settings;
  }

  async #find<Value extends NonNullable<unknown>>(
    memory: StampedMemory<Value>,
    request: PullRequest,
    subject: string,
    read: () => Promise<Value | undefined>,
  ): Promise<Value | undefined> {
    const key = memoryKey(request, subject);
    const stamp = this.stamp(request);
    const known = memory.get(key, stamp, this.#stampedAt);
    if (known !== undefined) return known;
    try {
      const stored = await read();
      if (stored !== undefined) memory.set(key, stored, stamp);
      return stored;
    } catch (error) {
      const last = memory.last(key, stamp);
      if (last === undefined) throw error;
      return last;
    }
  }
}

/** The rule stays: what it brought counts by its identity, and its stops hold. */
function heldOnly<R extends PullRequest>(request: R): R {
  return request.heldOnly === true ? request : { ...request, heldOnly: true };
}

/** What is asked of upstream by name where ROOT is not asked. */
export function notRoots(request: PullRequest): RegistryError {
  const { repository } = request.target;
  return new RegistryError(
    'requestInvalid',
    `${repository} was pushed to: nothing of ROOT is taken into it`,
    { detail: { name: repository } },
  );
}

/** What a client of a stopped repository is answered where upstream is not asked again. */
export function stoppedFailure(request: PullRequest): UpstreamFailure {
  return failure(
    'upstream denied this repository, and the rule stops it then',
    'denied',
    'status',
    request.target.rule?.urls[0].host ?? '',
  );
}

/** Whether upstream's refusal is one that the rule stops a repository for. */
export function isStopping({ target }: PullRequest, failure: unknown): boolean {
  return (
    target.rule?.onFailure.denied === 'stop' &&
    failure instanceof UpstreamFailure &&
    failure.kind === 'denied'
  );
}
