import type { ImageMapping, Rewritten } from '../../domain/image-rewrite.ts';
import { parseImageName } from '../../domain/names/image-name.ts';
import type { ImageName } from '../../domain/names/image-name.ts';
import type { Certainty, Flag, Verdict } from './detection.ts';
import { findMove } from './known-moves.ts';

export type Judge = (image: string, certainty: Certainty) => Verdict;

/** Says of each image what is wrong with its name, and what it becomes; `mapping` without a host that is known says only which rules are missing. */
export function createJudge(mapping: ImageMapping, isHostKnown: boolean): Judge {
  return (image, certainty) => {
    // Flux and Helm write artifacts as URLs.
    const scheme = certainty === 'artifact' && image.startsWith('oci://') ? 'oci://' : '';
    const last = certainty === 'prefix' ? '/x' : '';
    const named = `${image.slice(scheme.length).replace(/\/+$/, '')}${last}`;
    const plain = (text: string): string => scheme + text.slice(0, text.length - last.length);
    const found = mapping.rewrite(named);
    const flags = [...nameFlags(named, certainty, plain), ...mappingFlags(found)];
    if (!isHostKnown) return { flags, becomes: null, reason: null };
    return found.kind === 'rewritten'
      ? { flags, becomes: plain(found.image), reason: null }
      : { flags, becomes: null, reason: found.reason };
  };
}

function mappingFlags(found: Rewritten): readonly Flag[] {
  if (found.kind === 'rewritten') return [];
  if (found.reason === 'no rule') return [noRule];
  return found.reason === 'too long' ? [tooLong] : [];
}

const noRule: Flag = {
  flag: 'no-rule',
  text: 'no rule of the cache leads there: make one (breakwater rules create), or leave it as it is',
};
const tooLong: Flag = {
  flag: 'too-long',
  text: 'its name behind the cache would have more than 255 characters: give its registry a rule with a shorter prefix',
};

function nameFlags(
  image: string,
  certainty: Certainty,
  plain: (text: string) => string,
): readonly Flag[] {
  const review: readonly Flag[] = certainty === 'review' ? [mayBeAnImage] : [];
  const name = parseImageName(image);
  if (name === undefined) return [noImageName(image), ...review];
  // Only what somebody writes as an image has a tag; what is on a node already does not change there.
  const hasTag = certainty === 'image' || certainty === 'review';
  return [...movedFlags(image, plain), ...(hasTag ? pinFlags(name) : []), ...review];
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

function movedFlags(image: string, plain: (text: string) => string): readonly Flag[] {
  const found = findMove(image);
  if (found === undefined) return [];
  const { move, image: now } = found;
  return [
    {
      flag: move.kind,
      text: move.note,
      source: move.source,
      ...(now !== undefined && { now: plain(now) }),
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
