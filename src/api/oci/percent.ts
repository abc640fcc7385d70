import { RegistryError } from '../../domain/errors.ts';

/** Tags of one push; a request target has 16 KiB anyway. */
const tagsMax = 100;

/** A path's segments, each percent-decoded once. A decoded slash or NUL, and bytes that are no UTF-8, are `requestInvalid`. */
export function decodeSegments(path: string): string[] {
  const segments = path.slice(1).split('/');
  if (!path.includes('%')) return segments.map(refuseNul);
  return segments.map((segment) => {
    const decoded = decode(segment);
    if (decoded.includes('/'))
      throw new RegistryError('requestInvalid', 'a path segment holds an encoded slash');
    return refuseNul(decoded);
  });
}

/** The parameters that are asked for; one that comes twice with two values, or badly encoded, is `requestInvalid`. */
export function decodeQuery<Name extends string>(
  query: string,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const found: Partial<Record<Name, string>> = {};
  if (query === '') return found;
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    const key = decode((equals < 0 ? pair : pair.slice(0, equals)).replaceAll('+', ' '));
    const name = names.find((candidate) => candidate === key);
    if (name === undefined) continue;
    const value = equals < 0 ? '' : refuseNul(decode(pair.slice(equals + 1).replaceAll('+', ' ')));
    if (found[name] !== undefined && found[name] !== value) {
      throw new RegistryError('requestInvalid', `the parameter ${name} is given twice`);
    }
    found[name] = value;
  }
  return found;
}

/** Values of `tag`, which may be given several times (distribution-spec, "Pushing a Manifest with Tags"). */
export function decodeTags(query: string): string[] {
  if (!query.includes('tag=')) return [];
  const tags = query
    .split('&')
    .filter((pair) => pair.startsWith('tag='))
    .map((pair) => refuseNul(decode(pair.slice(4).replaceAll('+', ' '))));
  if (tags.length <= tagsMax) return tags;
  throw new RegistryError('requestInvalid', `${tags.length} tags; ${tagsMax} at most in one push`);
}

function decode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RegistryError('requestInvalid', 'the request target is not percent-encoded properly');
  }
}

function refuseNul(text: string): string {
  if (text.includes('\0'))
    throw new RegistryError('requestInvalid', 'the request target holds a NUL');
  return text;
}
