/** Which profile signs what is pushed to which repositories. */
export interface SigningConfiguration {
  readonly rules: readonly SigningRule[];
}

export interface SigningRule {
  /** ARN of the profile. */
  readonly profile: string;
  /** Wildcards over names of repositories; absent: all of them. */
  readonly filters?: readonly string[];
}
