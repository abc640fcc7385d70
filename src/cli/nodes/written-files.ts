import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { NodeFile } from '../../kubernetes/nodes/node-settings.ts';
import { CommandFailure } from '../command-failure.ts';
import { readIfThere, writeFiles } from '../whole-files.ts';

/** The files as text: before each its name on the node. */
export function filesText(files: readonly NodeFile[]): string {
  return files.map(({ path, text }) => `# ==> ${path}\n${text}`).join('\n');
}

/** Where a file of a node is in a folder that stands for the node's root. */
export function pathIn(folder: string, { path }: NodeFile): string {
  return join(folder, path);
}

/** Throws `FILE_EXISTS` (6) where one of them is there, and says something else. */
export async function refuseOthers(folder: string, files: readonly NodeFile[]): Promise<void> {
  const there = await differing(folder, files);
  const [first] = there.filter(({ exists }) => exists);
  if (first !== undefined)
    throw new CommandFailure(`${first.path} exists and is another`, {
      exit: 'conflict',
      code: 'FILE_EXISTS',
      hint: '--replace writes over it; --check says which would be others',
    });
}

/** Writes those that are not there, with `replace` those with another text too. Each is whole, and appears at once. */
export async function writeNodeFiles(
  folder: string,
  files: readonly NodeFile[],
  replace: boolean,
): Promise<readonly string[]> {
  const others = new Set((await differing(folder, files)).map(({ path }) => path));
  const written = files
    .map((file) => ({ ...file, path: pathIn(folder, file) }))
    .filter(({ path }) => others.has(path));
  for (const { path } of written) await mkdir(dirname(path), { recursive: true });
  await writeFiles(written, replace);
  return written.map(({ path }) => path);
}

export interface Differing {
  readonly path: string;
  readonly exists: boolean;
}

/** Those that are not there as they are to be. */
export async function differing(
  folder: string,
  files: readonly NodeFile[],
): Promise<readonly Differing[]> {
  const looked = await Promise.all(
    files.map(async (file) => {
      const path = pathIn(folder, file);
      const there = await readIfThere(path);
      return { path, exists: there !== undefined, same: there === file.text };
    }),
  );
  return looked.filter(({ same }) => !same).map(({ path, exists }) => ({ path, exists }));
}
