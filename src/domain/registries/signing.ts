import { matchesGlob } from '../wildcard.ts';

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

/** Profiles that sign what is pushed into the repository, each once. */
export function profilesOf({ rules }: SigningConfiguration, repository: string): readonly string[] {
  const matching = rules.filter(
    ({ filters }) => filters === undefined || filters.some((each) => matchesGlob(each, repository)),
  );
  return [...new Set(matching.map(({ profile }) => profile))];
}
