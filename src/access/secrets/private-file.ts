import type { FileHandle } from 'node:fs/promises';
import { open, rename, rm } from 'node:fs/promises';

/** The text of a file that must be closed to others than owner and group; `undefined` where there is none. Throws where it is open or too large. */
export async function readPrivateFile(file: string, bytesMax: number): Promise<string | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { mode, size } = await handle.stat();
    // A group may read: Kubernetes gives a volume's files to a group of the pod's own.
    if ((mode & 0o007) !== 0) {
      throw new Error(
        `${file} is open to everyone (mode ${(mode & 0o777).toString(8)}): run chmod 600 ${file}`,
      );
    }
    if (size > bytesMax) throw new Error(`${file} is larger than ${bytesMax} bytes`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/** Puts a file (0600) in place whole or not at all; when it settles, it outlives a power cut. */
export async function writePrivateFile(folder: string, file: string, text: string): Promise<void> {
  const temporary = `${file}.new`;
  await rm(temporary, { force: true });
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  const parent = await open(folder, 'r');
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
}
