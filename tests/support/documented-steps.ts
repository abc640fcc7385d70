// The code of a page's section, as a reader copies it.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const checkout: string = fileURLToPath(new URL('../../', import.meta.url));

export interface CodeBlock {
  /** `sh`, `yaml`, `toml`. */
  readonly language: string;
  readonly text: string;
}

/** The blocks under a heading, down to the next of any level; the indentation of a list's is gone. Throws where there are none. */
export function stepsUnder(page: string, heading: string): readonly CodeBlock[] {
  const text = readFileSync(`${checkout}${page}`, 'utf8');
  const start = text.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`${page} has no heading ${heading}`);
  const rest = text.slice(start + heading.length + 2);
  const end = rest.search(/^#{2,} /m);
  const section = end < 0 ? rest : rest.slice(0, end);
  const blocks = [...section.matchAll(/^( *)```(\w+)\n([\s\S]*?)^ *```$/gm)].map(
    ([, indent = '', language = '', code = '']) => ({
      language,
      text: code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }),
  );
  if (blocks.length === 0) throw new Error(`${page}: ${heading} shows no code`);
  return blocks;
}
