import type { Events } from '../../ports/events.ts';
import { errorCode } from './file-system.ts';
import type { FileSystem } from './file-system.ts';
import { OpenFile } from './open-file.ts';

/** The whole file; `undefined` when there is none, or it is larger than `maxBytes`. */
export async function readSmallFile(
  files: FileSystem,
  events: Events,
  path: string,
  maxBytes: number,
): Promise<string | undefined> {
  await using file = await OpenFile.openIfThere(files, events, path);
  if (file === undefined) return undefined;
  const { size } = await file.size();
  if (size > maxBytes) return undefined;
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size;) {
    const count = await file.read(bytes.subarray(at), at);
    if (count === 0) return undefined;
    at += count;
  }
  return new TextDecoder().decode(bytes);
}

/** Writes beside, syncs, renames: the file is the old or the new one at any time. Syncing the folder is the caller's. */
export async function writeSmallFile(
  files: FileSystem,
  events: Events,
  path: string,
  text: string,
): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    {
      await using file = await OpenFile.open(files, events, temporary, 'replace');
      await file.write([new TextEncoder().encode(text)], 0);
      await file.sync();
    }
    await files.rename(temporary, path);
  } catch (error) {
    await removeFile(files, temporary).catch(() => undefined);
    throw error;
  }
}

/** A file that is not there is no error. */
export async function removeFile(files: FileSystem, path: string): Promise<void> {
  try {
    await files.unlink(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
