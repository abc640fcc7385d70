// Temporary folders of tests, on the file system of the tools' cache so that big files can be linked instead of copied.
import { copyFile, link, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { toolsFolder } from '../tools/tools.ts';

const litterMs = 24 * 3_600_000;
const ours = new Set<string>();
let swept: Promise<void> | undefined;

process.on('exit', () => {
  for (const folder of ours) rmSync(folder, { recursive: true, force: true });
});

/** A new empty folder, removed when the process ends at the latest. */
export async function makeRunFolder(name: string): Promise<string> {
  const parent = join(toolsFolder(), 'run');
  await mkdir(parent, { recursive: true });
  swept ??= sweep(parent);
  await swept;
  const folder = await mkdtemp(join(parent, `${name}-`));
  ours.add(folder);
  return folder;
}

export async function removeRunFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  ours.delete(folder);
}

/** What killed test runs left behind a day ago. */
async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const folder = join(parent, name);
    const found = await stat(folder).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > litterMs) {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

/** Copies a folder; files for which `linkable` holds are hard links where the file system allows it. */
export async function copyFolder(
  from: string,
  to: string,
  linkable: (name: string) => boolean,
): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isDirectory()) await copyFolder(source, target, linkable);
    else if (!linkable(entry.name)) await copyFile(source, target);
    else await link(source, target).catch(() => copyFile(source, target));
  }
}
