import type { FileSize, FileSystem } from '../../../src/storage/disk/file-system.ts';
import { dirname } from 'node:path';

const totalBytes = 1024 ** 4;

interface MemoryFile {
  /** What counts of it are the first `size`. */
  bytes: Uint8Array;
  size: number;
  modifiedAt: number;
}

function systemError(code: string, syscall: string, path = ''): Error {
  return Object.assign(new Error(`${code}: ${syscall} ${path}`), { code, syscall });
}

function resize(file: MemoryFile, size: number): void {
  if (size > file.bytes.byteLength) {
    const grown = new Uint8Array(Math.max(size, file.bytes.byteLength * 2));
    grown.set(file.bytes.subarray(0, file.size));
    file.bytes = grown;
  } else if (size > file.size) file.bytes.fill(0, file.size, size);
  file.size = size;
}

function sizeOf({ size, modifiedAt }: MemoryFile): FileSize {
  return { size, allocated: size, modifiedAt };
}

/** Files of one process's life: for tests that need what storage does and no disk. There are no direct writes. */
export function createMemoryFiles(): FileSystem {
  const folders = new Set<string>(['/']);
  const files = new Map<string, MemoryFile>();
  const open = new Map<number, MemoryFile>();
  let lastFd = 0;

  const opened = (fd: number, syscall: string): MemoryFile => {
    const file = open.get(fd);
    if (file === undefined) throw systemError('EBADF', syscall);
    return file;
  };
  return {
    open: async (path, mode) => {
      if (mode === 'direct') throw systemError('EINVAL', 'open', path);
      let file = files.get(path);
      if (file === undefined) {
        if (mode === 'read' || !folders.has(dirname(path)))
          throw systemError('ENOENT', 'open', path);
        file = { bytes: new Uint8Array(0), size: 0, modifiedAt: Date.now() };
        files.set(path, file);
      }
      if (mode === 'replace') file.size = 0;
      lastFd += 1;
      open.set(lastFd, file);
      return lastFd;
    },
    close: async (fd) => {
      opened(fd, 'close');
      open.delete(fd);
    },
    read: async (fd, into, position) => {
      const { bytes, size } = opened(fd, 'read');
      const part = bytes.subarray(position, Math.min(size, position + into.byteLength));
      into.set(part);
      return part.byteLength;
    },
    writev: async (fd, buffers, position) => {
      const file = opened(fd, 'writev');
      let at = position;
      file.modifiedAt = Date.now();
      for (const buffer of buffers) {
        if (at + buffer.byteLength > file.size) resize(file, at + buffer.byteLength);
        file.bytes.set(buffer, at);
        at += buffer.byteLength;
      }
      return at - position;
    },
    fdatasync: async (fd) => void opened(fd, 'fdatasync'),
    syncFolder: async (path) => {
      if (!folders.has(path)) throw systemError('ENOENT', 'open', path);
    },
    rename: async (from, to) => {
      const file = files.get(from);
      if (file === undefined) throw systemError('ENOENT', 'rename', from);
      files.delete(from);
      files.set(to, file);
    },
    unlink: async (path) => {
      if (!files.delete(path)) throw systemError('ENOENT', 'unlink', path);
    },
    mkdir: async (path) => {
      if (folders.has(path)) return false;
      folders.add(path);
      return true;
    },
    stat: async (path) => {
      const file = files.get(path);
      if (file !== undefined) return sizeOf(file);
      return folders.has(path) ? { size: 0, allocated: 0, modifiedAt: 0 } : undefined;
    },
    fstat: async (fd) => sizeOf(opened(fd, 'fstat')),
    readdir: async (path) => {
      if (files.has(path)) throw systemError('ENOTDIR', 'scandir', path);
      if (!folders.has(path)) throw systemError('ENOENT', 'scandir', path);
      const start = path.endsWith('/') ? path : `${path}/`;
      return [...folders, ...files.keys()]
        .filter((each) => each.startsWith(start) && !each.slice(start.length).includes('/'))
        .map((each) => each.slice(start.length))
        .filter((name) => name !== '');
    },
    truncate: async (fd, size) => resize(opened(fd, 'ftruncate'), size),
    statfs: async () => {
      const used = [...files.values()].reduce((sum, { size }) => sum + size, 0);
      return { freeBytes: totalBytes - used, totalBytes };
    },
  };
}
