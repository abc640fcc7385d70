import type { ImageUse } from './detection.ts';

/**
 * The uses in a list of images: one a line or several, parted by blanks, or with a count before it as `uniq -c` prints.
 * Blank lines and those that begin with `#` are nothing.
 */
export function* usesInList(text: string): Iterable<ImageUse> {
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trimStart().startsWith('#')) continue;
    const words = [...line.matchAll(/\S+/g)];
    const [first, second] = words;
    const isCounted = words.length === 2 && /^\d{1,15}$/.test(first?.[0] ?? '');
    for (const word of isCounted && second ? [second] : words)
      yield {
        image: word[0],
        certainty: 'image',
        count: isCounted ? Number(first?.[0]) : 1,
        place: { file: 'stdin', line: index + 1, column: word.index + 1 },
      };
  }
}
