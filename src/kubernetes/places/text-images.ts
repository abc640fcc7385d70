import { isPinned, namesHost } from './split-image.ts';

/** An image inside a longer text. */
export interface TextImage {
  readonly image: string;
  /** In characters from the text's begin. */
  readonly offset: number;
}

const host = String.raw`(?:(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}|\d{1,3}(?:\.\d{1,3}){3}|localhost)(?::\d{1,5})?`;
const path = String.raw`[a-z0-9]+(?:(?:\.|_{1,2}|-+|/)[a-z0-9]+)*`;
const pin = String.raw`(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[a-f0-9]{64})?`;
/** With a host; not a part of a longer word, and nothing of a URL. */
const hosted = new RegExp(String.raw`(?<![\w./:@%$}-])${host}/${path}${pin}(?![\w/@:{$])`, 'g');

/** Hosts whose names in a text mean an image even without a tag. */
const registries =
  /^(?:docker\.io|index\.docker\.io|registry-1\.docker\.io|quay\.io|ghcr\.io|(?:[a-z0-9-]+\.)?gcr\.io|k8s\.gcr\.io|registry\.k8s\.io|public\.ecr\.aws|mcr\.microsoft\.com|cgr\.dev|registry\.gitlab\.com|nvcr\.io|docker\.elastic\.co|[a-z0-9-]+-docker\.pkg\.dev|\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com)\//;

/** Characters of one text that are looked through; what follows is not. */
const charactersMax = 1024 * 1024;

/** Images that a text names with their host: those with a tag or a digest, and those of well-known registries. */
export function imagesInText(text: string): readonly TextImage[] {
  if (!text.includes('/')) return [];
  const read = text.length > charactersMax ? text.slice(0, charactersMax) : text;
  const found: TextImage[] = [];
  for (const { 0: image, index } of read.matchAll(hosted))
    if (registries.test(image) || isPinned(image)) found.push({ image, offset: index });
  return found;
}

/** Whether a name, an environment variable's or an option's, is one of an image. */
export function isNamedImage(name: string): boolean {
  return /image/i.test(name) && !/pull|policy|secret|magick|size|format|dir/i.test(name);
}

/** Of an option's whole value: an image where it has a host, or a tag or digest, which may be put in later (`nginx:${TAG}`). */
export function isWholeImage(whole: string): boolean {
  if (whole.length >= 1024) return false;
  const text = whole.replace(/(?<=[:@])[\w.-]*(?:\$|\{\{)[^/]*$/, 'later');
  return (
    /^[\w.:/@[\]-]+$/.test(text) &&
    !text.includes('://') &&
    (namesHost(text) ? /\/[a-z0-9]/.test(text) : /^[a-z0-9]/.test(text) && isPinned(text))
  );
}
