import type { TagRequirement } from './policy.ts';

/** Whether a tag is what an entry of a list says. */
type EntryMatch = (tag: string) => boolean;

/** Sets `met` for each requirement, by its place, to whether an image with these tags is one that it speaks of. */
export type RequirementMatch = (tags: readonly string[], met: boolean[]) => void;

/**
 * Made once for an evaluation. Of a tag only those entries are tried whose beginning, up to the first star, it has: what an image
 * costs grows with its tags and with what they match, not with the number of rules.
 */
export function requirementMatcher(requirements: readonly TagRequirement[]): RequirementMatch {
  const byBeginning = emptyBranch();
  const known = new Map<string, Entry>();
  const entryOf = (kind: 'prefix' | 'pattern', text: string): Entry => {
    const key = `${kind} ${text}`;
    const entry = known.get(key) ?? {
      number: known.size,
      matches: kind === 'prefix' ? prefixMatcher(text) : patternMatcher(text),
      requirements: [],
    };
    if (!known.has(key)) addEntry(byBeginning, kind === 'prefix' ? text : beginningOf(text), entry);
    known.set(key, entry);
    return entry;
  };
  // Of each requirement, how many entries it has: none where it is no list.
  const wanted = requirements.map((each, place) => {
    if (each.status !== 'tagged') return 0;
    const entries = new Set(each.entries.map((text) => entryOf(each.kind, text)));
    for (const entry of entries) entry.requirements.push(place);
    return entries.size;
  });
  const anyImage = requirements.map(({ status }) => status === 'any');
  const anyUntagged = requirements.map(({ status }) => status !== 'tagged');
  const missing = new Int32Array(wanted);
  const found = new Uint8Array(known.size);
  return (tags, met) => {
    const before = tags.length === 0 ? anyUntagged : anyImage;
    for (let place = 0; place < before.length; place += 1) met[place] = before[place] === true;
    if (known.size === 0 || tags.length === 0) return;
    missing.set(wanted);
    found.fill(0);
    for (const tag of tags)
      eachEntry(byBeginning, tag, (entry) => {
        if (found[entry.number] === 1 || !entry.matches(tag)) return;
        found[entry.number] = 1;
        for (const place of entry.requirements) {
          const left = (missing[place] ?? 0) - 1;
          missing[place] = left;
          if (left === 0) met[place] = true;
        }
      });
  };
}

interface Entry {
  readonly number: number;
  readonly matches: EntryMatch;
  /** The places of the requirements that it stands in. */
  readonly requirements: number[];
}

/** The entries that begin with what led here, and where further characters lead. */
interface Branch {
  readonly entries: Entry[];
  readonly next: Map<number, Branch>;
}

function emptyBranch(): Branch {
  return { entries: [], next: new Map() };
}

function addEntry(root: Branch, beginning: string, entry: Entry): void {
  let branch = root;
  for (let at = 0; at < beginning.length; at += 1) {
    const code = beginning.charCodeAt(at);
    const next = branch.next.get(code) ?? emptyBranch();
    branch.next.set(code, next);
    branch = next;
  }
  branch.entries.push(entry);
}

/** Calls `visit` with each entry whose beginning the tag has. */
function eachEntry(root: Branch, tag: string, visit: (entry: Entry) => void): void {
  let branch: Branch | undefined = root;
  for (let at = 0; branch !== undefined; at += 1) {
    for (const entry of branch.entries) visit(entry);
    branch = at < tag.length ? branch.next.get(tag.charCodeAt(at)) : undefined;
  }
}

function beginningOf(pattern: string): string {
  const star = pattern.indexOf('*');
  return star < 0 ? pattern : pattern.slice(0, star);
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
