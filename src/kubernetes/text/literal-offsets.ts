import type { ScalarNode } from './scalar-slot.ts';

/**
 * For each offset in the value of a literal block where it stands in the text; `undefined` for a scalar of another style, whose
 * characters are not those of the text.
 */
export function literalOffsets(
  text: string,
  scalar: ScalarNode,
): ((offset: number) => number) | undefined {
  const [start = 0, end = 0] = scalar.range ?? [];
  if (scalar.type !== 'BLOCK_LITERAL') return undefined;
  const headerEnd = text.indexOf('\n', start) + 1;
  if (headerEnd === 0 || headerEnd > end) return undefined;
  const lines = scalar.value.split('\n');
  const inner: number[] = [];
  const outer: number[] = [];
  let indent: number | undefined;
  let at = headerEnd;
  let position = 0;
  for (const line of lines) {
    const next = text.indexOf('\n', at);
    const lineEnd = next < 0 || next > end ? end : next;
    const source = text.slice(at, lineEnd).replace(/\r$/, '');
    if (line !== '') {
      indent ??= source.length - line.length;
      if (source.slice(indent) !== line || source.slice(0, indent).trim() !== '') return undefined;
    }
    inner.push(position);
    outer.push(at + (indent ?? 0));
    position += line.length + 1;
    at = Math.min(lineEnd + 1, end);
  }
  return (offset) => {
    const index = inner.findLastIndex((begin) => begin <= offset);
    return (outer[index] ?? headerEnd) + offset - (inner[index] ?? 0);
  };
}
