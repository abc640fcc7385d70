import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

export interface ReadFile {
  readonly bytes: Uint8Array;
  /** The permission bits, of the file that a link leads to. */
  readonly mode: number;
  /** When it was written last, wall ms. */
  readonly changedAt: number;
}

/** Reads a small file whole; throws `UnreadableFile`. */
export type FileReader = (path: string, bytesMax: number) => Promise<ReadFile>;

/** The message says why, as the end of a sentence about the file. */
export class UnreadableFile extends Error {
  override readonly name = 'UnreadableFile';
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EACCES: 'may not be read by this user',
  EPERM: 'may not be read by this user',
  ELOOP: 'is a link that leads nowhere',
};

/** Reads and judges one open file, so that nothing is exchanged between the look and the reading. */
export const readSmallFile: FileReader = async (path, bytesMax) => {
  try {
    // Non-blocking: a pipe by that name must not hold up the start.
    await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await handle.stat();
    if (!stat.isFile()) throw new UnreadableFile('is no regular file');
    if (stat.size > bytesMax) throw new UnreadableFile(`is larger than ${bytesMax} bytes`);
    const buffer = new Uint8Array(bytesMax + 1);
    let length = 0;
    while (length < buffer.byteLength) {
      const { bytesRead } = await handle.read(buffer, length, buffer.byteLength - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    if (length > bytesMax) throw new UnreadableFile(`is larger than ${bytesMax} bytes`);
    return {
      bytes: buffer.slice(0, length),
      mode: stat.mode & 0o777,
      changedAt: Math.floor(stat.mtimeMs),
    };
  } catch (error) {
    if (error instanceof UnreadableFile) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new UnreadableFile(reasons[code] ?? `cannot be read (${code})`, { cause: error });
  }
};

/** Throws `UnreadableFile` for what is not UTF-8. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new UnreadableFile('is not UTF-8 text', { cause: error });
  }
}
