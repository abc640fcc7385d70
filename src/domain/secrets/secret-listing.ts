import type { Secret } from './secret.ts';

/** One filter of a list: one of its values must fit. A value after `!` must not. */
export interface SecretFilter {
  readonly key:
    | 'description'
    | 'name'
    | 'tag-key'
    | 'tag-value'
    | 'primary-region'
    | 'owning-service'
    | 'all';
  readonly values: readonly string[];
}

export type SecretOrder = 'created-date' | 'last-accessed-date' | 'last-changed-date' | 'name';

/** How a list is cut and ordered; `after` is the position of the last one that was seen. */
export interface SecretListing {
  readonly filters: readonly SecretFilter[];
  /** Those that wait for their deletion too. */
  readonly withDeleted: boolean;
  readonly by: SecretOrder;
  readonly descending: boolean;
  readonly after: SecretPosition | undefined;
  readonly limit: number;
}

/** Of equal times the names decide. */
export interface SecretPosition {
  readonly at: number;
  readonly name: string;
}

/** The page of those that fit, in order. */
export function pageOfSecrets(
  secrets: readonly Secret[],
  { filters, withDeleted, by, descending, after, limit }: SecretListing,
): readonly Secret[] {
  const sign = descending ? -1 : 1;
  const compare = (one: SecretPosition, other: SecretPosition): number =>
    sign * (one.at - other.at || (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));
  return secrets
    .filter((secret) => withDeleted || secret.deletion === undefined)
    .filter((secret) => filters.every((filter) => fits(secret, filter)))
    .map((secret) => ({ secret, position: positionOf(secret, by) }))
    .filter(({ position }) => after === undefined || compare(position, after) > 0)
    .toSorted((one, other) => compare(one.position, other.position))
    .slice(0, limit)
    .map(({ secret }) => secret);
}

export function positionOf(secret: Secret, by: SecretOrder): SecretPosition {
  const { name, createdAt, changedAt, accessedAt } = secret;
  switch (by) {
    case 'name':
      return { at: 0, name };
    case 'created-date':
      return { at: createdAt, name };
    case 'last-changed-date':
      return { at: changedAt, name };
    case 'last-accessed-date':
      return { at: accessedAt ?? 0, name };
  }
}

function fits(secret: Secret, { key, values }: SecretFilter): boolean {
  const negated = values.filter((value) => value.startsWith('!'));
  const plain = values.filter((value) => !value.startsWith('!'));
  return (
    negated.every((value) => !fitsValue(secret, key, value.slice(1))) &&
    (plain.length === 0 || plain.some((value) => fitsValue(secret, key, value)))
  );
}

/** By how a text begins (Secrets Manager API, `Filter`); of descriptions, and of `all`, each word may. */
function fitsValue(secret: Secret, key: SecretFilter['key'], value: string): boolean {
  const { name, description = '', tags } = secret;
  switch (key) {
    case 'name':
      return name.startsWith(value);
    case 'description':
      return hasWord(description, value);
    case 'tag-key':
      return tags.some((tag) => tag.key.startsWith(value));
    case 'tag-value':
      return tags.some((tag) => tag.value.startsWith(value));
    // No secret is another region's copy, or an AWS service's.
    case 'primary-region':
    case 'owning-service':
      return false;
    case 'all': {
      const texts = [name, description, ...tags.flatMap((tag) => [tag.key, tag.value])];
      return value.split(' ').every((word) => texts.some((text) => hasWord(text, word)));
    }
  }
}

function hasWord(text: string, value: string): boolean {
  const [lower, sought] = [text.toLowerCase(), value.toLowerCase()];
  return (
    lower.startsWith(sought) ||
    lower.split(/[ /_+=.@-]+/).some((word) => word.startsWith(sought)) ||
    lower.includes(` ${sought}`)
  );
}
