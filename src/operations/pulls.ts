import type { Asker } from '../access/access.ts';
import type {
  BlobAnswer,
  BlobRequest,
  Cache,
  ManifestAnswer,
  ManifestRequest,
  ReferrersAnswer,
  ReferrersRequest,
  TagsAnswer,
  TagsRequest,
} from '../cache/cache.ts';
import type { PullRequest } from '../cache/pull-request.ts';
import { RegistryError } from '../domain/errors.ts';
import type { Reference } from '../domain/names/reference.ts';
import { actions } from '../domain/policy/access-action.ts';
import type { Action } from '../domain/policy/access-action.ts';
import { isAdmitted, notAdmitted } from '../domain/rules/name-pattern.ts';
import type { CacheOutcome } from '../domain/verdict.ts';
import { recordRefusal, recordMade } from './repository-change.ts';
import type { ChangeParts } from './repository-change.ts';

/** Whoever waits for an answer. */
export interface Waiting {
  /** Aborts when they leave; looked at only where something has to be waited for. */
  readonly signal: AbortSignal;
}

/**
 * Pulls, for any protocol: first the right, then the rule's patterns, then the cache. An asker who may not import is served only what is
 * in the cache already. A repository that a pull makes is audited. Each throws `RegistryError`, synchronously or in its promise.
 */
export interface Pulls {
  /** At once where who asks, their rights and the answer are in memory. */
  manifest(
    asker: Asker,
    request: ManifestRequest,
    waiting: Waiting,
  ): ManifestAnswer | Promise<ManifestAnswer>;
  blob(asker: Asker, request: BlobRequest, waiting: Waiting): BlobAnswer | Promise<BlobAnswer>;
  tags(asker: Asker, request: TagsRequest, waiting: Waiting): TagsAnswer | Promise<TagsAnswer>;
  referrers(
    asker: Asker,
    request: ReferrersRequest,
    waiting: Waiting,
  ): ReferrersAnswer | Promise<ReferrersAnswer>;
}

export interface PullsParts extends Pick<ChangeParts, 'admission' | 'audit' | 'made' | 'clock'> {
  readonly cache: Cache;
}

export function createPulls(parts: PullsParts): Pulls {
  return {
    manifest: (asker, request, waiting) => pull(parts, manifests, asker, request, waiting),
    blob: (asker, request, waiting) => pull(parts, blobs, asker, request, waiting),
    tags: (asker, request, waiting) => pull(parts, tags, asker, request, waiting),
    referrers: (asker, request, waiting) => pull(parts, referrers, asker, request, waiting),
  };
}

interface Answer {
  readonly outcome: CacheOutcome;
}

/** What differs between the four things that can be pulled. */
interface Kind<R extends PullRequest, A extends Answer> {
  readonly action: Action;
  /** Another action that is enough. */
  readonly orElse: (request: R) => Action | undefined;
  /** By which the rule's patterns are asked. */
  readonly reference: (request: R) => Reference | undefined;
  /** The answer, where it needs no waiting. */
  readonly peek: (cache: Cache, request: R) => A | undefined;
  /** `stored`: to be called when what the pull began is stored, which its answer does not wait for. */
  readonly ask: (cache: Cache, request: R, signal: AbortSignal, stored: () => void) => Promise<A>;
}

const none = (): undefined => undefined;

const manifests: Kind<ManifestRequest, ManifestAnswer> = {
  action: actions.getManifest,
  orElse: none,
  reference: ({ reference }) => reference,
  peek: (cache, request) => cache.peekManifest(request),
  ask: (cache, request, signal) => cache.pullManifest(request, signal),
};

const blobs: Kind<BlobRequest, BlobAnswer> = {
  action: actions.getBlob,
  // Either right is enough to ask whether a blob is there.
  orElse: ({ method }) => (method === 'HEAD' ? actions.checkBlob : undefined),
  reference: none,
  peek: none,
  ask: (cache, request, signal, stored) => cache.pullBlob({ ...request, stored }, signal),
};

const tags: Kind<TagsRequest, TagsAnswer> = {
  action: actions.listTags,
  orElse: none,
  reference: none,
  peek: none,
  ask: (cache, request, signal) => cache.listTags(request, signal),
};

const referrers: Kind<ReferrersRequest, ReferrersAnswer> = {
  action: actions.getManifest,
  orElse: none,
  reference: none,
  peek: none,
  ask: (cache, request, signal) => cache.listReferrers(request, signal),
};

function pull<R extends PullRequest, A extends Answer>(
  parts: PullsParts,
  kind: Kind<R, A>,
  asker: Asker,
  request: R,
  waiting: Waiting,
): A | Promise<A> {
  const imports = parts.admission.requirePull(asker, request, kind.action, kind.orElse(request));
  return imports instanceof Promise
    ? imports.then((known) =>
        answer(parts, kind, asker, known ? request : withoutImport(request), waiting),
      )
    : answer(parts, kind, asker, imports ? request : withoutImport(request), waiting);
}

/** The same request, answered only from what is in the cache. */
function withoutImport<R extends PullRequest>(request: R): R {
  return { ...request, heldOnly: true };
}

function answer<R extends PullRequest, A extends Answer>(
  parts: PullsParts,
  kind: Kind<R, A>,
  asker: Asker,
  request: R,
  waiting: Waiting,
): A | Promise<A> {
  if (!isAdmitted(request.target, kind.reference(request))) {
    const error = notAdmitted(request.target);
    recordRefusal(parts.audit, asker, request, kind.action, error);
    throw error;
  }
  return kind.peek(parts.cache, request) ?? askCache(parts, kind, asker, request, waiting);
}

async function askCache<R extends PullRequest, A extends Answer>(
  parts: PullsParts,
  kind: Kind<R, A>,
  asker: Asker,
  request: R,
  { signal }: Waiting,
): Promise<A> {
  const since = parts.clock.elapsed();
  const stored = (): void => recordMade(parts, asker, request, since, 'pull');
  try {
    const found = await kind.ask(parts.cache, request, signal, stored);
    if (request.target.rule !== undefined && wasAsked(found.outcome)) stored();
    return found;
  } catch (error) {
    if (request.heldOnly === true && isUnknown(error))
      throw await parts.admission.notImported(asker, request);
    throw error;
  }
}

/** Upstream was, so that the repository may be one that was made just now. */
function wasAsked({ verdict }: CacheOutcome): boolean {
  return verdict === 'miss' || verdict === 'revalidated' || verdict === 'coalesced';
}

function isUnknown(error: unknown): boolean {
  return (
    error instanceof RegistryError &&
    (error.code === 'manifestUnknown' ||
      error.code === 'blobUnknown' ||
      error.code === 'nameUnknown')
  );
}
