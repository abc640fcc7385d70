import { usageFailure } from './command-failure.ts';

/** An image of a repository as it is written: `team/app:1.2`, `team/app@sha256:…`. */
export interface ImageWords {
  readonly repository: string;
  /** The tag or the digest. */
  readonly reference: string;
  readonly isTag: boolean;
}

/** Throws where neither tag nor digest is named: nothing is deleted or shown by a default tag. */
export function parseImageWords(text: string): ImageWords {
  const at = text.indexOf('@');
  if (at > 0) return { repository: text.slice(0, at), reference: text.slice(at + 1), isTag: false };
  const colon = text.indexOf(':', text.lastIndexOf('/') + 1);
  if (colon > 0 && colon < text.length - 1)
    return { repository: text.slice(0, colon), reference: text.slice(colon + 1), isTag: true };
  throw usageFailure(
    `${text} names no tag and no digest`,
    'write it as team/app:1.2 or team/app@sha256:<64 hex digits>',
  );
}
