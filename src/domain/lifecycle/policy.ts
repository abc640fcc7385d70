/** Which of an image's two places a rule looks at; `archive` holds what cannot be pulled until it is restored. */
export type StorageClass = 'standard' | 'archive';

export type CountType =
  | 'imageCountMoreThan'
  | 'sinceImagePushed'
  | 'sinceImagePulled'
  | 'sinceImageTransitioned';

/** Which images a rule selects by their tags. Of a list, every entry must match some tag of the image. */
export type TagRequirement =
  | { readonly status: 'any' }
  | { readonly status: 'untagged' }
  | {
      readonly status: 'tagged';
      /** `prefix`: how a tag begins; `pattern`: a whole tag, with `*` for any characters. */
      readonly kind: 'prefix' | 'pattern';
      /** At least one. */
      readonly entries: readonly string[];
    };

export interface LifecycleRule {
  /** Unique in a policy; the lowest is applied first. */
  readonly priority: number;
  readonly description: string | undefined;
  readonly tags: TagRequirement;
  readonly storageClass: StorageClass;
  readonly countType: CountType;
  /** Images to keep (`imageCountMoreThan`), else days. */
  readonly countNumber: number;
  /** `transition` moves images to the archive. */
  readonly action: 'expire' | 'transition';
}

export interface LifecyclePolicy {
  /** By ascending priority, however the text orders them. */
  readonly rules: readonly LifecycleRule[];
}

/** What is wrong with a policy's text. */
export interface LifecycleProblem {
  /** `rules[0].selection.countUnit`; empty for the text as a whole. */
  readonly field: string;
  /** As ECR says it. */
  readonly what: string;
  readonly fix: string;
}

/** The longest text of a policy, as in ECR; white space counts. */
export const lifecycleCharactersMax = 30_720;

export const lifecycleRulesMax = 50;

/** Time to mend a slip: a policy acts for the first time so long after it was put, or a template made its repository. */
export const lifecycleActsAfterMs = 3_600_000;
