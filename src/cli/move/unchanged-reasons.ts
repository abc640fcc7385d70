import type { UnchangedReason } from '../../domain/image-rewrite.ts';

/** The end of a sentence that says why an image stays. */
export const reasonsUnchanged: Readonly<Record<UnchangedReason, string>> = {
  'no image name': 'no image name',
  ours: 'it is here already',
  'not ours': 'it is not of this registry',
  'no rule': 'no rule leads there',
  'too long': 'its name would be longer than 255 characters',
  'cannot be told': 'what it was called upstream can’t be told',
};
