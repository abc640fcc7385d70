import { RegistryError } from '../errors.ts';

/** What makes a repository without being asked for one by its name. */
export type TemplateUse = 'PULL_THROUGH_CACHE' | 'CREATE_ON_PUSH' | 'REPLICATION';

/** The template of what no other one matches. */
const rootTemplate = 'ROOT';

/** `team/` is `team`. */
export function templatePrefix(given: string): string {
  return given.replace(/\/$/, '');
}

/** The prefixes of templates that a repository takes its settings from, the longest first: whole path segments before its last one. */
export function templatePrefixesOf(repository: string): readonly string[] {
  const segments = repository.split('/').slice(0, -1);
  const prefixes = segments.map((_, index) => segments.slice(0, index + 1).join('/'));
  return [...prefixes.toReversed(), rootTemplate];
}

/** Throws `requestInvalid` where nothing is named, or one twice. */
export function requireTemplateUses(uses: readonly TemplateUse[]): void {
  if (uses.length > 0 && new Set(uses).size === uses.length) return;
  const why = uses.length === 0 ? 'name at least one' : 'one stands twice';
  throw new RegistryError('requestInvalid', `appliedFor: ${why}`, {
    detail: { field: 'appliedFor' },
  });
}
