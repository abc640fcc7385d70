import * as fs from 'node:fs';

/**
 * How a file is opened: `update` reads and writes and makes what is not there, `replace` writes from empty, `direct` writes past
 * the page cache what is there. A file system that can't do so says EINVAL on opening or on writing.
 */
export type OpenMode = 'read' | 'update' | 'replace' | 'direct';

export interface FileSize {
  readonly size: number;
  /** What the file takes on the disk: less than `size` where it has holes. */
  readonly allocated: number;
  /** Wall time in ms of the last change to the contents. */
  readonly modifiedAt: number;
}

/**
 * All that storage asks of the operating system, so that tests can fail any call or cut the power. Errors are system errors with
 * their `code`. Descriptors are plain integers: Node ends the process when a FileHandle is collected unclosed.
 */
export interface FileSystem {
  open(path: string, mode: OpenMode): Promise<number>;
  close(fd: number): Promise<void>;
  /** 0 is the end of the file. */
  read(fd: number, into: Uint8Array, position: number): Promise<number>;
  /** May write less than all; the count says how much. */
  writev(fd: number, buffers: readonly Uint8Array[], position: number): Promise<number>;
  /** Contents and length are on the disk when this resolves; the name is not. */
  fdatasync(fd: number): Promise<void>;
  /** The names in the folder are on the disk when this resolves. */
  syncFolder(path: string): Promise<void>;
  /** Atomic; replaces what is there. */
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** False when the folder was there already. Parents must exist. */
  mkdir(path: string): Promise<boolean>;
  /** `undefined` when nothing is there. */
  stat(path: string): Promise<FileSize | undefined>;
  fstat(fd: number): Promise<FileSize>;
  readdir(path: string): Promise<string[]>;
  truncate(fd: number, size: number): Promise<void>;
  statfs(path: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>;
}

const openFlags: Record<OpenMode, number> = {
  read: fs.constants.O_RDONLY,
  update: fs.constants.O_RDWR | fs.constants.O_CREAT,
  replace: fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_TRUNC,
  direct: fs.constants.O_WRONLY | directFlag(),
};

/** Absent on systems without direct writes, whatever Node's types say. */
function directFlag(): number {
  return (fs.constants as { readonly O_DIRECT?: number }).O_DIRECT ?? 0;
}

/** The code of a system error: `ENOENT`, `ENOSPC`; `undefined` for any other value. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

type Callback<T> = (error: Error | null, value: T) => void;

function promised<T>(call: (callback: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error === null ? resolve(value) : reject(error)));
  });
}

function promisedVoid(call: (callback: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error === null ? resolve() : reject(error)));
  });
}

async function syncFolder(path: string): Promise<void> {
  const fd = await promised<number>((done) => fs.open(path, fs.constants.O_RDONLY, done));
  try {
    await promisedVoid((done) => fs.fsync(fd, done));
  } finally {
    await promisedVoid((done) => fs.close(fd, done));
  }
}

async function mkdir(path: string): Promise<boolean> {
  try {
    await promisedVoid((done) => fs.mkdir(path, 0o700, done));
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

function sizeOf(stats: fs.Stats): FileSize {
  return { size: stats.size, allocated: stats.blocks * 512, modifiedAt: stats.mtimeMs };
}

async function stat(path: string): Promise<FileSize | undefined> {
  try {
    return sizeOf(await promised<fs.Stats>((done) => fs.stat(path, done)));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function statfs(path: string): Promise<{ freeBytes: number; totalBytes: number }> {
  const stats = await promised<fs.StatsFs>((done) => fs.statfs(path, done));
  return { freeBytes: stats.bavail * stats.bsize, totalBytes: stats.blocks * stats.bsize };
}

/** The machine's own files, through libuv's thread pool. */
export const nodeFileSystem: FileSystem = {
  open: (path, mode) => promised((done) => fs.open(path, openFlags[mode], 0o600, done)),
  close: (fd) => promisedVoid((done) => fs.close(fd, done)),
  read: (fd, into, position) =>
    promised((done) => fs.read(fd, into, 0, into.byteLength, position, done)),
  writev: (fd, buffers, position) => promised((done) => fs.writev(fd, buffers, position, done)),
  fdatasync: (fd) => promisedVoid((done) => fs.fdatasync(fd, done)),
  syncFolder,
  rename: (from, to) => promisedVoid((done) => fs.rename(from, to, done)),
  unlink: (path) => promisedVoid((done) => fs.unlink(path, done)),
  mkdir,
  stat,
  fstat: async (fd) => sizeOf(await promised<fs.Stats>((done) => fs.fstat(fd, done))),
  readdir: (path) => promised((done) => fs.readdir(path, done)),
  truncate: (fd, size) => promisedVoid((done) => fs.ftruncate(fd, size, done)),
  statfs,
};
