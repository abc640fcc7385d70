import { RegistryError } from '../../domain/errors.ts';
import type { Label } from '../../domain/names/label.ts';

/** Of one principal. */
export const tagsMax = 50;

/** IAM's bounds of tags, whose keys differ by more than case. */
export function requireTags(tags: readonly Label[]): void {
  const keys = new Set(tags.map(({ key }) => key.toLowerCase()));
  require(keys.size === tags.length, 'tags', 'each key once, whatever its case');
  for (const { key, value } of tags) {
    require(key.length >= 1 && key.length <= 128, 'tags', 'keys of 1 to 128 characters');
    require(value.length <= 256, 'tags', 'values of at most 256 characters');
    require(!key.toLowerCase().startsWith('aws:'), 'tags', 'no key that begins with aws:');
  }
  if (tags.length > tagsMax) throw tooManyTags();
}

export function tooManyTags(): RegistryError {
  return new RegistryError('conflict', `a principal has at most ${tagsMax} tags`, {
    kind: 'principalLimit',
  });
}

/** Throws `requestInvalid`. */
export function require(good: boolean, field: string, expected: string): void {
  if (good) return;
  throw new RegistryError('requestInvalid', `${field} is not as expected: ${expected}`, {
    detail: { field, expected },
  });
}
