import type { ImageName } from '../../domain/names/image-name.ts';
import { imageEnding, parseImageName } from '../../domain/names/image-name.ts';
import type { ImageSource } from '../../domain/names/image-source.ts';
import { officialName, restUnder, sourceText } from '../../domain/names/image-source.ts';
import { repositoryNameCharactersMax } from '../../domain/names/repository-name.ts';
import { findMove } from '../detect/known-moves.ts';
import type { Renamed, Renaming } from './renaming.ts';

/** Moves what is under `from` to `to`: paths, tags and digests stay, with `library/` for Docker Hub's official images. Both as `parseImageSource` takes them. */
export function createHostMove(from: ImageSource, to: ImageSource): Renaming {
  return (reference) => {
    const image = parseImageName(reference);
    if (image === undefined) return { kind: 'unchanged', reason: 'no image name' };
    const rest = restOf(from, image);
    if (rest === undefined) return { kind: 'unchanged', reason: `not of ${sourceText(from)}` };
    // `docker.io` to `docker.io/mirror`: what is there already has been moved.
    if (restOf(to, image) !== undefined && isUnder(to, from))
      return { kind: 'unchanged', reason: `already of ${sourceText(to)}` };
    const repository = [to.path, rest].filter((part) => part !== '').join('/');
    const name = `${to.host}/${repository}`;
    const made = parseImageName(name);
    // `quay.io/a` to a host alone leaves no name; `quay.io/a/b` to docker.io is read as library/b.
    if (made?.host !== to.host || made.repository !== repository)
      return { kind: 'unchanged', reason: `no name for it at ${sourceText(to)}` };
    return named(name, image);
  };
}

/** Moves what the table of known moves says has moved; nothing else. */
export const renameMoved: Renaming = (reference) => {
  const found = findMove(reference);
  if (found === undefined) return { kind: 'unchanged', reason: 'nothing is known of a move' };
  const { image, move } = found;
  if (image === undefined)
    return { kind: 'unchanged', reason: `${move.kind}, and nothing takes its place: ${move.note}` };
  return { kind: 'rewritten', image };
};

/** One after the other: what the first leaves as it is, the second takes as it is. */
export function renameBoth(first: Renaming, second: Renaming): Renaming {
  return (reference) => {
    const one = first(reference);
    if (one.kind === 'unchanged') return second(reference);
    const other = second(one.image);
    return other.kind === 'unchanged' ? one : other;
  };
}

/** `docker.io/redis` moves Docker's own image, and whatever is under an organization of that name. */
function restOf(source: ImageSource, image: ImageName): string | undefined {
  const isOfficial = image.host === source.host && image.repository === officialName(source);
  return isOfficial ? '' : restUnder(source, image);
}

function isUnder(inner: ImageSource, outer: ImageSource): boolean {
  return (
    inner.host === outer.host && (outer.path === '' || inner.path.startsWith(`${outer.path}/`))
  );
}

function named(name: string, image: ImageName): Renamed {
  if (name.length > repositoryNameCharactersMax)
    return { kind: 'unchanged', reason: `longer than ${repositoryNameCharactersMax} characters` };
  return { kind: 'rewritten', image: name + imageEnding(image) };
}
