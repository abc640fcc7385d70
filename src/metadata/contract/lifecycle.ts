import type { Fate } from '../../domain/lifecycle/evaluator.ts';
import type { LifecycleImage } from '../../domain/lifecycle/image.ts';
import type { LifecyclePolicy } from '../../domain/lifecycle/policy.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { RepositoryKey } from '../../domain/names/registry.ts';
import type { Tag } from '../../domain/names/tag.ts';
import type { ExpiringImage } from './rows.ts';

export interface StoredLifecycle {
  /** Verbatim. */
  readonly text: string;
  /** Wall ms; absent: this text was not yet. */
  readonly evaluatedAt: number | undefined;
}

/** A policy whose time has come. */
export interface DueLifecycle extends RepositoryKey {
  readonly text: string;
}

/** `failed`: it could not be made. What never ended is `inProgress`: when it began says whether it can still. */
export type PreviewStatus = 'inProgress' | 'complete' | 'failed' | 'expired';

export interface StoredPreview {
  readonly id: string;
  readonly status: PreviewStatus;
  /** The text that it is of. */
  readonly text: string;
  readonly startedAt: number;
  readonly endedAt: number | undefined;
  readonly expiring: number;
  readonly transitioning: number;
}

/** An image that the policy of a preview acts on. */
export interface PreviewResult {
  readonly digest: Digest;
  readonly tags: readonly Tag[];
  readonly pushedAt: number;
  readonly priority: number;
  readonly action: 'expire' | 'transition';
  readonly storageClass: 'standard' | 'archive';
}

/** Results in the order of their digests, tagged images before untagged ones. */
export interface PreviewPosition {
  readonly untagged: boolean;
  readonly digest: Digest;
}

/** JSON in UTF-8. Bytes pass from thread to thread without being copied, which a large repository's would block the main loop for. */
export type JsonBytes = Uint8Array<ArrayBuffer>;

/** A preview in the form in which it is stored: some results a page, as JSON. */
export interface PreviewPages {
  readonly expiring: number;
  readonly transitioning: number;
  readonly pages: readonly PreviewPage[];
}

export interface PreviewPage {
  readonly untagged: boolean;
  readonly firstDigest: Digest;
  /** Of `PreviewResult[]`. */
  readonly results: JsonBytes;
}

/** What is to be expired, in this order. */
export interface ExpiryPlan {
  readonly count: number;
  /** What rules would archive, which nothing does yet. */
  readonly transitioning: number;
  /** Each of `PlannedImage[]`, at most 50. */
  readonly batches: readonly JsonBytes[];
}

export interface PlannedImage extends ExpiringImage {
  readonly priority: number;
}

/** An image of a repository, and what a policy makes of it. */
export interface ExplainedImage {
  readonly image: LifecycleImage;
  readonly fate: Fate<LifecycleImage>;
}

/** A policy and the wall ms for which it is asked. */
export interface LifecycleQuestion {
  readonly policy: LifecyclePolicy;
  readonly now: number;
}

/** Lifecycle policies, and previews of them. What looks at all images of a repository runs in a thread of its own. */
export interface LifecycleMetadata {
  findLifecycle(key: RepositoryKey): Promise<StoredLifecycle | undefined>;
  findPreview(key: RepositoryKey): Promise<StoredPreview | undefined>;

  /** Policies that were due at `now`, the longest waiting first. */
  listDueLifecycles(now: number, limit: number): Promise<readonly DueLifecycle[]>;
  /** After `after`; of tagged or of untagged images alone, where it is said. */
  listPreviewResults(
    key: RepositoryKey,
    from: { readonly after: PreviewPosition | undefined; readonly untagged: boolean | undefined },
    limit: number,
  ): Promise<readonly PreviewResult[]>;
  /** Those of these digests that are among the results. */
  findPreviewResults(
    key: RepositoryKey,
    digests: readonly Digest[],
  ): Promise<readonly PreviewResult[]>;
  previewLifecycle(key: RepositoryKey, question: LifecycleQuestion): Promise<PreviewPages>;
  planLifecycle(key: RepositoryKey, question: LifecycleQuestion): Promise<ExpiryPlan>;
  /** The youngest first, after `after`; of these digests alone, where they are given. */
  explainImages(
    key: RepositoryKey,
    question: LifecycleQuestion,
    page: {
      readonly after: Digest | undefined;
      readonly digests: readonly Digest[] | undefined;
      readonly limit: number;
    },
  ): Promise<readonly ExplainedImage[]>;

  /** Puts or replaces; the same text keeps its times. False where there is no repository. */
  putLifecycle(
    input: RepositoryKey & {
      readonly text: string;
      readonly now: number;
      readonly dueAt: number;
    },
  ): Promise<boolean>;
  /** What it was; `undefined` where there was none. */
  deleteLifecycle(input: RepositoryKey): Promise<StoredLifecycle | undefined>;
  /** The policy of this text was evaluated; one that was put meanwhile stays due. */
  recordEvaluation(
    input: RepositoryKey & {
      readonly text: string;
      readonly evaluatedAt: number | undefined;
      readonly dueAt: number;
    },
  ): Promise<void>;
  /** Takes the place of the last one, whose results go. `inProgress` where that began at `staleBefore` or later and has not ended. */
  beginPreview(
    input: RepositoryKey & {
      readonly id: string;
      readonly text: string;
      readonly now: number;
      readonly staleBefore: number;
    },
  ): Promise<'begun' | 'inProgress' | 'noRepository'>;
  /** False where another has taken its place. The bytes of the pages are handed over: their caller has them no more. */
  addPreviewPages(
    input: RepositoryKey & { readonly id: string; readonly pages: readonly PreviewPage[] },
  ): Promise<boolean>;
  endPreview(
    input: RepositoryKey & {
      readonly id: string;
      readonly status: 'complete' | 'failed';
      readonly expiring: number;
      readonly transitioning: number;
      readonly now: number;
    },
  ): Promise<void>;
  /** Of previews that ended before `before`: their results go. */
  expirePreviews(input: { readonly before: number }): Promise<void>;
}
