import { RegistryError } from '../errors.ts';
import { matchesGlob } from '../wildcard.ts';

/** ECR's modes of a repository's tags (AmazonECR user guide, "image-tag-mutability"). */
export const tagMutabilities = [
  'MUTABLE',
  'IMMUTABLE',
  'MUTABLE_WITH_EXCLUSION',
  'IMMUTABLE_WITH_EXCLUSION',
] as const;

export type TagMutabilityMode = (typeof tagMutabilities)[number];

/** A repository's setting; the filters are there exactly in the modes that exclude. */
export interface TagMutability {
  readonly mode: TagMutabilityMode;
  /** Wildcards: 1 to 5, each with at most two `*`. */
  readonly exclusions: readonly string[];
}

export const mutableTags: TagMutability = { mode: 'MUTABLE', exclusions: [] };

const filtersMax = 5;
const filterPattern = /^[0-9a-zA-Z._*-]{1,128}$/;

/** Whether an existing tag may not be moved to another digest. */
export function isTagImmutable(setting: TagMutability, tag: string): boolean {
  const excluded = setting.exclusions.some((filter) => matchesGlob(filter, tag));
  switch (setting.mode) {
    case 'MUTABLE':
      return false;
    case 'IMMUTABLE':
      return true;
    case 'MUTABLE_WITH_EXCLUSION':
      return excluded;
    case 'IMMUTABLE_WITH_EXCLUSION':
      return !excluded;
  }
}

/** What is wrong with a setting, as a sentence that names field, value and fix; `undefined` where nothing is. */
export function tagMutabilityProblem(setting: TagMutability): string | undefined {
  const excludes = setting.mode.endsWith('_WITH_EXCLUSION');
  const { exclusions } = setting;
  if (!excludes && exclusions.length > 0)
    return `exclusion filters are for MUTABLE_WITH_EXCLUSION and IMMUTABLE_WITH_EXCLUSION, not ${setting.mode}`;
  if (excludes && (exclusions.length === 0 || exclusions.length > filtersMax))
    return `${setting.mode} takes 1 to ${filtersMax} exclusion filters, not ${exclusions.length}`;
  const bad = exclusions.find(
    (filter) => !filterPattern.test(filter) || filter.split('*').length > 3,
  );
  return bad === undefined
    ? undefined
    : `exclusion filter ${JSON.stringify(bad.slice(0, 140))}: 1 to 128 of letters, digits, . _ - and at most two *`;
}

/** Throws `requestInvalid` for filters that don't fit the mode. */
export function requireTagMutability(setting: TagMutability): void {
  const problem = tagMutabilityProblem(setting);
  if (problem !== undefined)
    throw new RegistryError('requestInvalid', `tagMutability: ${problem}`, {
      detail: { field: 'tagMutability' },
    });
}
