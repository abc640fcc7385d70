import { RegistryError } from '../errors.ts';

/** Labels of a repository at most (Amazon ECR quotas). */
export const repositoryTagsMax = 50;
const keyCharactersMax = 128;
const valueCharactersMax = 256;

/** Throws `requestInvalid` for a label that AWS does not take: too long, without a key, or of AWS's own. */
export function requireRepositoryTags(
  tags: readonly { readonly key: string; readonly value: string }[],
): void {
  for (const { key, value } of tags) {
    if (key === '' || key.length > keyCharactersMax)
      throw tagRefused(key, `a key has 1 to ${keyCharactersMax} characters`);
    if (value.length > valueCharactersMax)
      throw tagRefused(key, `a value has at most ${valueCharactersMax} characters`);
    if (/^aws:/i.test(key)) throw tagRefused(key, 'keys that begin with aws: are reserved');
  }
  if (new Set(tags.map(({ key }) => key)).size < tags.length)
    throw tagRefused('', 'a key stands twice');
}

function tagRefused(key: string, why: string): RegistryError {
  return new RegistryError('requestInvalid', `tags: ${why}`, {
    kind: 'repositoryTagInvalid',
    detail: { field: 'tags', value: key.slice(0, keyCharactersMax) },
  });
}

/** The error for more labels than a repository may have. */
export function tooManyRepositoryTags(): RegistryError {
  return new RegistryError('conflict', `a repository has at most ${repositoryTagsMax} tags`, {
    kind: 'tooManyTags',
  });
}
