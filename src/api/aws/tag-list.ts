/** A tag as operations take and answer it. */
interface Label {
  readonly key: string;
  readonly value: string;
}

/** As AWS's services write one; a part that a model does not require may be absent. */
interface Tag {
  readonly Key?: string | undefined;
  readonly Value?: string | undefined;
}

export function labelsOf(tags: readonly Tag[]): readonly Label[] {
  return tags.map(({ Key = '', Value = '' }) => ({ key: Key, value: Value }));
}

export function tagsOf(labels: readonly Label[]): { readonly Key: string; readonly Value: string }[] {
  return labels.map(({ key, value }) => ({ Key: key, Value: value }));
}
