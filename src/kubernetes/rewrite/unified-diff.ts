const contextLines = 3;

/**
 * The difference of two texts as `git apply` and `patch` take it, '' where there is none. An edit of references replaces lines
 * one by one: both have the same number of them.
 */
export function unifiedDiff(path: string, before: string, after: string): string {
  if (before === after) return '';
  const [old, now] = [linesOf(before), linesOf(after)];
  if (old.length !== now.length) throw new RangeError('an edit changed the number of lines');
  const changed = [...old.keys()].filter((index) => old[index] !== now[index]);
  const name = path.replaceAll('\\', '/').replace(/^(?:\.?\/)+/, '');
  let text = `--- a/${name}\n+++ b/${name}\n`;
  for (const [first, last] of hunksOf(changed, old.length)) {
    const count = last - first + 1;
    text += `@@ -${first + 1},${count} +${first + 1},${count} @@\n`;
    text += hunkText(old, now, first, last);
  }
  return text;
}

/** Each line with its end. */
function linesOf(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function hunksOf(
  changed: readonly number[],
  count: number,
): readonly (readonly [number, number])[] {
  const hunks: [number, number][] = [];
  for (const index of changed) {
    const [first, last] = [
      Math.max(0, index - contextLines),
      Math.min(count - 1, index + contextLines),
    ];
    const before = hunks.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = last;
    else hunks.push([first, last]);
  }
  return hunks;
}

/** Lines that change side by side stand together: first all that go, then all that come. */
function hunkText(
  old: readonly string[],
  now: readonly string[],
  first: number,
  last: number,
): string {
  let text = '';
  let come = '';
  for (let index = first; index <= last; index += 1) {
    const [from = '', to = ''] = [old[index], now[index]];
    if (from === to) {
      text += `${come}${marked(' ', from)}`;
      come = '';
    } else {
      text += marked('-', from);
      come += marked('+', to);
    }
  }
  return text + come;
}

function marked(mark: string, line: string): string {
  return line.endsWith('\n') ? mark + line : `${mark}${line}\n\\ No newline at end of file\n`;
}
