import type { Digest } from './digest.ts';
import { parseDigest } from './digest.ts';
import type { Tag } from './tag.ts';
import { parseTag } from './tag.ts';

/** What follows `/manifests/`: a tag or a digest. */
export type Reference =
  | { readonly kind: 'tag'; readonly tag: Tag }
  | { readonly kind: 'digest'; readonly digest: Digest };

/** `undefined` when the text is neither a tag nor a digest. A text with a colon is never a tag. */
export function parseReference(text: string): Reference | undefined {
  if (text.includes(':')) {
    const digest = parseDigest(text);
    return digest && { kind: 'digest', digest };
  }
  const tag = parseTag(text);
  return tag && { kind: 'tag', tag };
}

export function formatReference(reference: Reference): string {
  return reference.kind === 'tag' ? reference.tag : reference.digest;
}
