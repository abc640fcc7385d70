import type { Slot } from './read-text.ts';

/** A scalar of a YAML text, whoever read it. */
export interface ScalarNode {
  readonly value: string;
  /** As the library names styles. */
  readonly type?: string | null | undefined;
  /** Begin and end of what is written, and more. */
  readonly range?: readonly number[] | null | undefined;
}

/** A plain scalar that means itself wherever it stands, in flow collections too. */
const plainText = /^[A-Za-z0-9_./][\w./@:-]*(?<!:)$/;

/**
 * What of the text holds a scalar's value: inside its quotes, and of a block the part of one line. `undefined` where the value
 * is written with escapes or over several lines, or isn't there at all.
 */
export function slotOf(text: string, scalar: ScalarNode): Slot | undefined {
  const [start = 0, end = 0] = scalar.range ?? [];
  const source = text.slice(start, end);
  const { value, type } = scalar;
  switch (type ?? '') {
    case 'PLAIN':
      return source === value && value !== '' ? plainSlot(start, end, value) : undefined;
    case 'QUOTE_SINGLE':
    case 'QUOTE_DOUBLE':
      return quotedSlot(source, start, value);
    case 'BLOCK_LITERAL':
    case 'BLOCK_FOLDED':
      return blockSlot(source, start, value);
    default:
      return undefined;
  }
}

function plainSlot(start: number, end: number, value: string): Slot {
  return {
    start,
    end,
    value,
    write: (text) => {
      if (plainText.test(text)) return text;
      // What stood at its end was plain before, whatever it is: `nginx:${TAG}`.
      const tail = commonEnd(value, text);
      if (tail > 0 && plainText.test(text.slice(0, -tail))) return text;
      return isQuotable(text) ? `"${text}"` : undefined;
    },
  };
}

function quotedSlot(source: string, start: number, value: string): Slot | undefined {
  if (source.slice(1, -1) !== value) return undefined;
  const end = start + source.length - 1;
  return { start: start + 1, end, value, write: (text) => (isQuotable(text) ? text : undefined) };
}

function blockSlot(source: string, start: number, value: string): Slot | undefined {
  const line = value.trim();
  if (line === '' || /[\r\n]/.test(line)) return undefined;
  const header = source.indexOf('\n') + 1;
  const at = source.indexOf(line, header);
  if (header === 0 || at < 0 || source.slice(header, at).trim() !== '') return undefined;
  const slot = { start: start + at, end: start + at + line.length };
  // The line break at the block's end belongs to its value.
  const [before, after] = [
    value.slice(0, value.indexOf(line)),
    value.slice(value.indexOf(line) + line.length),
  ];
  return {
    ...slot,
    value,
    write(text) {
      const inner = text.startsWith(before) && text.endsWith(after) ? text : undefined;
      const written = inner?.slice(before.length, inner.length - after.length);
      return written !== undefined && isQuotable(written) ? written : undefined;
    },
  };
}

/** Means itself between quotes of either kind, and in a block. */
function isQuotable(text: string): boolean {
  return /^[\x20-\x7e]+$/.test(text) && !/["'\\]/.test(text) && text.trim() === text;
}

/** How many characters at their ends two texts share. */
function commonEnd(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a.at(-1 - length) === b.at(-1 - length))
    length += 1;
  return length;
}
