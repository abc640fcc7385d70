// The code of a page's section, as a reader copies it and runs it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../tools/tools.ts';

export const checkout: string = fileURLToPath(new URL('../../../', import.meta.url));

export interface CodeBlock {
  /** `sh`, `yaml`, `toml`. */
  readonly language: string;
  readonly text: string;
}

/** The blocks under a heading, down to the next of any level; the indentation of a list's is gone. Throws where there are none. */
export function stepsUnder(page: string, heading: string): readonly CodeBlock[] {
  const text = `\n${readFileSync(`${checkout}${page}`, 'utf8')}`;
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

/** What runs this checkout's command line, in a shell. */
export const breakwaterCommand: string = `"${process.execPath}" "${join(checkout, 'bin', 'breakwater.mjs')}"`;

/** Runs a block in a folder and answers what it prints; programs by these names are what is said. Throws where it fails. */
export async function follow(
  folder: string,
  text: string,
  programs: Readonly<Record<string, string>> = {},
): Promise<string> {
  const functions = Object.entries(programs).map(([name, run]) => `${name}() { ${run} "$@"; }`);
  const file = join(folder, 'block.sh');
  await writeFile(file, ['set -eu', ...functions, text].join('\n'));
  const { code, stdout, stderr } = await runCommand('/bin/bash', [file], { cwd: folder });
  assert.equal(code, 0, `${text}\n${stdout}\n${stderr}`);
  return stdout;
}
