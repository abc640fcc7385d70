import { join } from 'node:path';
import type { ByteReader, ByteSpan } from '../../domain/byte-source.ts';
import { algorithmOf, hexOf, parseDigest } from '../../domain/names/digest.ts';
import type { Digest } from '../../domain/names/digest.ts';
import type { BlobStore, FoundBlob } from '../../ports/blob-store.ts';
import type { Events } from '../../ports/events.ts';
import type { VerifiedFile } from '../../ports/verified-file.ts';
import { errorCode } from '../disk/file-system.ts';
import type { FileSize, FileSystem } from '../disk/file-system.ts';
import type { Folders } from '../disk/folders.ts';
import { OpenFile } from '../disk/open-file.ts';
import { removeFile } from '../disk/small-file.ts';

interface FileBlobsContext {
  readonly files: FileSystem;
  readonly folders: Folders;
  readonly events: Events;
}

/** Of a retired blob, behind the name that it had; in the same folder, so that both ways are one rename. */
const retiredSuffix = '.retired';

/** Blobs under `root`, a folder that is there: `sha256/ab/abcdef…`. */
export function createFileBlobs(context: FileBlobsContext, root: string): BlobStore {
  const { files, folders } = context;
  const folderOf = (digest: Digest): string =>
    join(root, algorithmOf(digest), hexOf(digest).slice(0, 2));
  const pathOf = (digest: Digest): string => join(folderOf(digest), hexOf(digest));
  return {
    size: async (digest) => {
      const path = pathOf(digest);
      const look = (): Promise<FileSize | undefined> => files.stat(path);
      return ((await look()) ?? (await lookAgain(files, path, look)))?.size;
    },
    open: async (digest, span) => {
      const path = pathOf(digest);
      const look = (): Promise<ByteReader | undefined> => openBlob(context, path, span);
      return (await look()) ?? (await lookAgain(files, path, look));
    },
    adopt: async (file, replace = false) => {
      const takeover = takeoverOf(file);
      const folder = folderOf(file.digest);
      const path = pathOf(file.digest);
      await folders.ensure(join(root, algorithmOf(file.digest)));
      await folders.ensure(folder);
      const there = await files.stat(path);
      if (replace || there?.size !== file.size) {
        try {
          await takeover.moveTo(path);
        } catch (error) {
          folders.forgetAll();
          throw error;
        }
      }
      // Also where the blob was there: its name may be another adoption's that is not synced yet.
      await folders.sync(folder);
      await takeover.settle();
      // It may be damaged as the one that was replaced.
      if (replace) await removeFile(files, pathOf(file.digest) + retiredSuffix);
    },
    delete: async (digest) => {
      await removeFile(files, pathOf(digest) + retiredSuffix);
      await removeFile(files, pathOf(digest));
    },
    list: () => listBlobs(files, root),
    retire: async (digest) => {
      const path = pathOf(digest);
      await renameIfThere(files, path, path + retiredSuffix);
    },
    revive: async (digest) => {
      const path = pathOf(digest);
      // One that came anew was verified later.
      if ((await files.stat(path)) === undefined)
        await renameIfThere(files, path + retiredSuffix, path);
      else await removeFile(files, path + retiredSuffix);
    },
    deleteRetired: async (digest) => {
      const path = pathOf(digest) + retiredSuffix;
      const there = await files.stat(path);
      if (there === undefined) return undefined;
      await removeFile(files, path);
      return there.size;
    },
    space: () => files.statfs(root),
  };
}

/** How a blob store takes a sealed file over. */
export interface Takeover {
  /** Renames the file to its place among the blobs, no more; once done, further calls do nothing. */
  readonly moveTo: (path: string) => Promise<void>;
  /** The blob is in its place, this file or one that was there: removes what is left of it elsewhere. Never throws. */
  readonly settle: () => Promise<void>;
}

const takeovers = new WeakMap<VerifiedFile, Takeover>();

/** Only `seal` calls this. */
export function markVerified(digest: Digest, size: number, takeover: Takeover): VerifiedFile {
  const file = Object.freeze({ digest, size }) as VerifiedFile;
  takeovers.set(file, takeover);
  return file;
}

/** Throws for anything but what `seal` of this kind of storage made. */
function takeoverOf(file: VerifiedFile): Takeover {
  const takeover = takeovers.get(file);
  if (takeover === undefined) throw new TypeError(`No spool sealed this file of ${file.digest}`);
  return takeover;
}

async function openBlob(
  { files, events }: FileBlobsContext,
  path: string,
  span: ByteSpan | undefined,
): Promise<ByteReader | undefined> {
  const file = await OpenFile.openIfThere(files, events, path);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.size();
    if (span !== undefined && span.end >= size) throw cutShort(path, size);
    return readerOf(file, path, span ?? { start: 0, end: size - 1 });
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

function readerOf(file: OpenFile, path: string, span: ByteSpan): ByteReader {
  let position = span.start;
  return {
    read: async (into) => {
      const left = span.end + 1 - position;
      if (left <= 0) return 0;
      const target = into.byteLength <= left ? into : into.subarray(0, left);
      const count = await file.read(target, position);
      if (count === 0 && target.byteLength > 0) throw cutShort(path, position);
      position += count;
      return count;
    },
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

function cutShort(path: string, size: number): Error {
  return new Error(`The blob file ${path} ends at ${size}, before the bytes asked for`);
}

/** For what was not there: brings a retired blob back. Another caller may have done so just before, which only looking again tells. */
async function lookAgain<T>(files: FileSystem, path: string, look: () => Promise<T>): Promise<T> {
  await renameIfThere(files, path + retiredSuffix, path);
  return await look();
}

async function renameIfThere(files: FileSystem, from: string, to: string): Promise<void> {
  try {
    await files.rename(from, to);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

async function* listBlobs(files: FileSystem, root: string): AsyncGenerator<FoundBlob> {
  for (const algorithm of await namesIn(files, root)) {
    for (const prefix of await namesIn(files, join(root, algorithm))) {
      for (const name of await namesIn(files, join(root, algorithm, prefix))) {
        const retired = name.endsWith(retiredSuffix);
        const hex = retired ? name.slice(0, -retiredSuffix.length) : name;
        const digest = parseDigest(`${algorithm}:${hex}`);
        if (digest !== undefined && hex.startsWith(prefix)) yield { digest, retired };
      }
    }
  }
}

/** Nothing where the folder is gone or is none. */
async function namesIn(files: FileSystem, folder: string): Promise<string[]> {
  try {
    return await files.readdir(folder);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}
