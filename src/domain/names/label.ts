/** What owners keep of a thing by a key: AWS calls it a tag. */
export interface Label {
  readonly key: string;
  readonly value: string;
}

/** Keys that are taken away first, then labels that are put or replace those of their keys. */
export interface LabelChange {
  readonly remove: readonly string[];
  readonly set: readonly Label[];
}

/** The labels with the change made, in the order of their keys. */
export function withLabels(
  labels: readonly Label[],
  { remove, set }: LabelChange,
): readonly Label[] {
  const values = new Map(labels.map(({ key, value }) => [key, value]));
  for (const key of remove) values.delete(key);
  for (const { key, value } of set) values.set(key, value);
  return inKeyOrder([...values].map(([key, value]) => ({ key, value })));
}

/** The same where keys that differ by case alone are one, as IAM has it: what is put stands in the place of both. */
export function withLabelsOfAnyCase(
  labels: readonly Label[],
  { remove, set }: LabelChange,
): readonly Label[] {
  const gone = new Set([...remove, ...set.map(({ key }) => key)].map((key) => key.toLowerCase()));
  const kept = labels.filter(({ key }) => !gone.has(key.toLowerCase()));
  return withLabels(kept, { remove: [], set });
}

export function inKeyOrder(labels: readonly Label[]): readonly Label[] {
  return labels.toSorted((one, other) => (one.key < other.key ? -1 : 1));
}
