import { isPinned } from '../places/split-image.ts';

/** What a reference becomes. The reason of an unchanged one is a sentence's end: `no rule leads there`. */
export type Renamed =
  | { readonly kind: 'rewritten'; readonly image: string; readonly note?: string }
  | { readonly kind: 'unchanged'; readonly reason: string };

/** A mapping in one direction: to here, back, or from one host to another. */
export type Renaming = (reference: string) => Renamed;

const cannotTell: Renamed = { kind: 'unchanged', reason: 'no image name' };

/**
 * Of an image whose tag or digest is put in later (`nginx:${TAG}`, `app:{{ .Values.tag }}`) the name is renamed and the rest
 * stays; a name that itself is put in later can't be told.
 */
export function renameImage(rename: Renaming, image: string): Renamed {
  const variable = image.search(/\$|\{\{|%[({]|<</);
  if (variable < 0) return rename(image);
  const before = image.slice(0, variable);
  const slash = before.lastIndexOf('/');
  const end = before.slice(slash + 1).search(/[:@]/);
  if (end < 0) return cannotTell;
  const name = before.slice(0, slash + 1 + end);
  const renamed = rename(name);
  if (renamed.kind === 'unchanged') return renamed;
  return { ...renamed, image: renamed.image + image.slice(name.length) };
}

/**
 * Of what images of one place begin with (`registry.k8s.io`, `docker.io/istio`) what they begin with afterwards; unchanged where
 * that is not one and the same for all of them.
 */
export function renamePrefix(rename: Renaming, prefix: string): Renamed {
  const bare = prefix.replace(/\/+$/, '');
  if (bare === '' || isPinned(bare.replace(/:\d+(?=\/|$)/, ''))) return cannotTell;
  const made = ['image', 'group/image'].map((name): Renamed => {
    const renamed = rename(`${bare}/${name}`);
    if (renamed.kind === 'unchanged') return renamed;
    if (!renamed.image.endsWith(`/${name}`)) return severalPlaces;
    return { ...renamed, image: renamed.image.slice(0, -name.length - 1) };
  });
  const [one, other] = made;
  if (one === undefined || other === undefined) return cannotTell;
  if (one.kind === 'unchanged') return one;
  if (other.kind === 'unchanged') return other;
  return one.image === other.image ? one : severalPlaces;
}

const severalPlaces: Renamed = {
  kind: 'unchanged',
  reason: 'its images go to several places: set each image’s own registry',
};

const rememberedMax = 10_000;

/** Says of an image that comes again what it said before: a folder names the same few over and over. */
export function rememberRenaming(rename: Renaming): Renaming {
  const remembered = new Map<string, Renamed>();
  return (reference) => {
    const known = remembered.get(reference);
    if (known !== undefined) return known;
    if (remembered.size >= rememberedMax) remembered.clear();
    const renamed = rename(reference);
    remembered.set(reference, renamed);
    return renamed;
  };
}
