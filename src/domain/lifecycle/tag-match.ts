import type { TagRequirement } from './policy.ts';

/** Whether a tag is what an entry of a list says. */
type EntryMatch = (tag: string) => boolean;

/** Sets `met` for each requirement, by its place, to whether an image with these tags is one that it speaks of. */
export type RequirementMatch = (tags: readonly string[], met: boolean[]) => void;

/** Made once for an evaluation. An entry that stands in several requirements is tried once for an image. */
export function requirementMatcher(requirements: readonly TagRequirement[]): RequirementMatch {
  const numbers = new Map<string, number>();
  const entries: EntryMatch[] = [];
  const numberOf = (kind: 'prefix' | 'pattern', entry: string): number => {
    const key = `${kind} ${entry}`;
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, entries.length);
    return entries.push(kind === 'prefix' ? prefixMatcher(entry) : patternMatcher(entry)) - 1;
  };
  const wanted = requirements.map((each) =>
    each.status === 'tagged'
      ? each.entries.map((entry) => numberOf(each.kind, entry))
      : each.status,
  );
  const found: (boolean | undefined)[] = entries.map(() => undefined);
  return (tags, met) => {
    found.fill(undefined);
    for (const [place, numbersOf] of wanted.entries()) {
      if (numbersOf === 'any') met[place] = true;
      else if (numbersOf === 'untagged' || tags.length === 0)
        met[place] = numbersOf === 'untagged' && tags.length === 0;
      else
        met[place] = numbersOf.every(
          (number) => (found[number] ??= hasMatch(tags, entries[number])),
        );
    }
  };
}

function hasMatch(tags: readonly string[], matches: EntryMatch | undefined): boolean {
  if (matches === undefined) return false;
  for (const tag of tags) if (matches(tag)) return true;
  return false;
}

function prefixMatcher(prefix: string): EntryMatch {
  return (tag) => tag.startsWith(prefix);
}

/**
 * `*` is any characters, everything else itself. The parts between two `*` are looked for from where the one before ended, so that
 * a tag costs its length for each part at most.
 */
export function patternMatcher(pattern: string): EntryMatch {
  const [head = '', ...rest] = pattern.split('*');
  const tail = rest.pop();
  if (tail === undefined) return (tag) => tag === head;
  const middle = rest.filter((part) => part !== '');
  if (middle.length === 0 && tail === '') return prefixMatcher(head);
  if (middle.length === 1 && head === '' && tail === '') {
    const [part = ''] = middle;
    return (tag) => tag.includes(part);
  }
  return (tag) => {
    const end = tag.length - tail.length;
    if (end < head.length || !tag.startsWith(head) || !tag.endsWith(tail)) return false;
    let from = head.length;
    for (const part of middle) {
      const at = tag.indexOf(part, from);
      if (at < 0) return false;
      from = at + part.length;
    }
    return from <= end;
  };
}
