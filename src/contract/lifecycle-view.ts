import type { LifecycleProblem } from '../domain/lifecycle/policy.ts';

/** The lifecycle policy of a repository. */
export interface LifecyclePolicyView {
  readonly account: string;
  readonly repository: string;
  /** Verbatim. */
  readonly policy: string;
  /** ISO time; null: not yet. */
  readonly lastEvaluatedAt: string | null;
}

/** What the text of a lifecycle policy means, or what is wrong with it. */
export interface LifecycleCheckView {
  readonly valid: boolean;
  readonly problems: readonly LifecycleProblem[];
  /** By ascending priority; empty where something is wrong. */
  readonly rules: readonly LifecycleMeaningView[];
}

export interface LifecycleMeaningView {
  readonly priority: number;
  readonly description: string | null;
  /** `expires untagged images that were pushed more than 14 days ago`. */
  readonly meaning: string;
  /** What the rule may say in vain. */
  readonly warnings: readonly string[];
}

/** What a policy would act on now. */
export interface LifecyclePreviewView {
  readonly account: string;
  readonly repository: string;
  readonly policy: string;
  readonly status: 'inProgress' | 'complete' | 'failed' | 'expired';
  readonly startedAt: string;
  readonly expiring: number;
  readonly transitioning: number;
  /** A page of the images, in the order of their digests, tagged ones first; empty until it is complete. */
  readonly items: readonly LifecycleResultView[];
  readonly next: string | null;
}

export interface LifecycleResultView {
  readonly digest: string;
  readonly tags: readonly string[];
  readonly pushedAt: string;
  /** Of the rule that acts on it. */
  readonly priority: number;
  readonly action: 'expire' | 'transition';
  readonly storageClass: 'standard' | 'archive';
}

/** What a policy makes of an image now, and why. */
export interface LifecycleExplanationView {
  readonly digest: string;
  readonly tags: readonly string[];
  readonly pushedAt: string;
  readonly fate: 'expire' | 'transition' | 'keep';
  /** Of the rule that decides it; null: none does. */
  readonly priority: number | null;
  readonly because: string;
}
