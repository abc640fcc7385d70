/** The parts of an image as their keys hold them; an empty text is a key without a value. */
export interface SplitImage {
  readonly registry?: string | undefined;
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}

/** `registry/repository:tag@digest`, without what is empty. */
export function joinImage({
  registry = '',
  repository,
  tag = '',
  digest = '',
}: SplitImage): string {
  const name = registry === '' ? repository : `${registry.replace(/\/+$/, '')}/${repository}`;
  const named = tag === '' ? name : `${name}:${tag}`;
  if (digest === '') return named;
  return `${named}@${digest.includes(':') ? digest : `sha256:${digest}`}`;
}

/** Of an image's text what is before its tag and its digest. */
export function nameOfImage(image: string): string {
  const at = image.indexOf('@');
  const named = at < 0 ? image : image.slice(0, at);
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  return colon < 0 ? named : named.slice(0, colon);
}

/** Whether a name begins with a host, as far as the text tells (github.com/distribution/reference). */
export function namesHost(image: string): boolean {
  const slash = image.indexOf('/');
  const head = slash < 0 ? '' : image.slice(0, slash);
  return head === 'localhost' || /[.:A-Z]/.test(head);
}

/** Whether it has a tag or a digest. */
export function isPinned(image: string): boolean {
  return nameOfImage(image).length < image.length;
}

/**
 * What the keys hold after `name` took the place of registry and repository; tag and digest stay. One of them is kept where it
 * can be: the repository first, so that `library/` of an official image goes to the registry (`HOST/docker.io/library` and
 * `nats`). Docker Hub's own `library/` goes away again beside a name of one part.
 */
export function splitName(
  { registry, repository }: SplitImage,
  name: string,
): Pick<SplitImage, 'registry' | 'repository'> {
  if (registry === undefined) return { repository: name };
  if (name.endsWith(`/${repository}`)) {
    const rest = name.slice(0, -repository.length - 1);
    return { registry: rest === 'docker.io/library' ? 'docker.io' : rest, repository };
  }
  const kept = registry.replace(/\/+$/, '');
  if (kept !== '' && name.startsWith(`${kept}/`))
    return { registry, repository: name.slice(kept.length + 1) };
  const slash = name.indexOf('/');
  if (slash < 0) return { registry: '', repository: name };
  return { registry: name.slice(0, slash), repository: name.slice(slash + 1) };
}
