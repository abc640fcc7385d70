import type { FlagName } from '../../kubernetes/detect/detection.ts';

/** In the order of how much they matter. */
export const flagNames: readonly FlagName[] = [
  'gone',
  'moved',
  'frozen',
  'no-image-name',
  'no-rule',
  'too-long',
  'unpinned',
  'review',
];
