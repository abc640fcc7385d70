import type { LabelView } from '../../contract/access-view.ts';

/** As AWS's services write one; a part that a model does not require may be absent. */
interface Tag {
  readonly Key?: string | undefined;
  readonly Value?: string | undefined;
}

export function labelsOf(tags: readonly Tag[]): readonly LabelView[] {
  return tags.map(({ Key = '', Value = '' }) => ({ key: Key, value: Value }));
}

export function tagsOf(
  labels: readonly LabelView[],
): { readonly Key: string; readonly Value: string }[] {
  return labels.map(({ key, value }) => ({ Key: key, Value: value }));
}
