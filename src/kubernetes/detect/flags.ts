import { parseImageName } from '../../domain/names/image-name.ts';
import type { ImageName } from '../../domain/names/image-name.ts';
import type { Certainty, Flag } from './detection.ts';
import { findMove } from './known-moves.ts';

/** What is to be said of an image by its name alone. */
export function flagsOf(image: string, certainty: Certainty): readonly Flag[] {
  const review: readonly Flag[] = certainty === 'review' ? [mayBeAnImage] : [];
  const name = parseImageName(image);
  if (name === undefined) return [noImageName(image), ...review];
  return [...movedFlags(image), ...pinFlags(name), ...review];
}

const mayBeAnImage: Flag = {
  flag: 'review',
  text: 'in a variable, an argument or a text: look whether it is an image, and change it by hand',
};

function noImageName(image: string): Flag {
  const isTemplate = /\{\{|\$\{|\$\(/.test(image);
  return {
    flag: 'no-image-name',
    text: isTemplate
      ? 'a template: what it becomes is not known here'
      : 'no node can pull this name: see its grammar at github.com/distribution/reference',
  };
}

function movedFlags(image: string): readonly Flag[] {
  const found = findMove(image);
  if (found === undefined) return [];
  const { move, image: now } = found;
  return [
    {
      flag: move.kind,
      text: move.note,
      source: move.source,
      ...(now !== undefined && { now }),
    },
  ];
}

/** A tag with a digit in it is taken for a version; a digest alone never moves. */
function pinFlags({ tag, digest }: ImageName): readonly Flag[] {
  if (digest !== undefined || (tag !== undefined && /\d/.test(tag))) return [];
  const text =
    tag === undefined
      ? 'no tag, which means latest: two nodes may run two images under it'
      : `the tag ${tag} names no version: two nodes may run two images under it`;
  return [{ flag: 'unpinned', text }];
}
