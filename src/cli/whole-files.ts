import { randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { link, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** A file's text; `undefined` where it is not there. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

export interface NewFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
}

/**
 * Writes each file whole and lets it appear under its name at once, in the order given; all are on disk before the first
 * appears. With `replace` one that is there is replaced and keeps its owner, else it is an `EEXIST`.
 */
export async function writeFiles(files: readonly NewFile[], replace: boolean): Promise<void> {
  const written: { readonly from: string; readonly to: string }[] = [];
  try {
    for (const { path, text, mode } of files) {
      const from = join(dirname(path), `.${randomBytes(6).toString('hex')}.new`);
      await using handle = await open(from, 'wx', mode);
      written.push({ from, to: path });
      // The mode of `open` is what the umask leaves of it.
      await handle.chmod(mode);
      await handle.writeFile(text);
      if (replace) await keepOwner(handle, path);
      await handle.sync();
    }
    for (const { from, to } of written) await (replace ? rename(from, to) : link(from, to));
  } finally {
    await Promise.all(written.map(({ from }) => rm(from, { force: true })));
  }
}

/** Who writes for somebody else, as root does with sudo, leaves them their file. */
async function keepOwner(handle: FileHandle, path: string): Promise<void> {
  const before = await stat(path).catch(() => undefined);
  if (before === undefined) return;
  const { uid, gid } = await handle.stat();
  if (before.uid === uid && before.gid === gid) return;
  try {
    await handle.chown(before.uid, before.gid);
  } catch (error) {
    // Nobody but root gives files away; whoever may write here is the file's user anyway.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
}
