import type { Events } from '../../ports/events.ts';
import { bytesBetween } from '../../domain/byte-chunks.ts';
import { errorCode } from './file-system.ts';
import type { FileSize, FileSystem, OpenMode } from './file-system.ts';

/**
 * One descriptor with one owner. Disposing waits for calls under way, since a closed number may at once belong to another file;
 * it closes exactly once and never throws.
 */
export class OpenFile implements AsyncDisposable {
  readonly #files: FileSystem;
  readonly #events: Events;
  readonly #fd: number;
  #underWay = 0;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  private constructor(files: FileSystem, events: Events, fd: number) {
    this.#files = files;
    this.#events = events;
    this.#fd = fd;
  }

  static async open(
    files: FileSystem,
    events: Events,
    path: string,
    mode: OpenMode,
  ): Promise<OpenFile> {
    return new OpenFile(files, events, await files.open(path, mode));
  }

  /** To be read; `undefined` when nothing is there. */
  static async openIfThere(
    files: FileSystem,
    events: Events,
    path: string,
  ): Promise<OpenFile | undefined> {
    try {
      return new OpenFile(files, events, await files.open(path, 'read'));
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#use((fd) => this.#files.read(fd, into, position));
  }

  /** Writes all of the buffers, however many calls that takes. */
  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    let rest = buffers;
    for (let at = position; rest.length > 0;) {
      const pending = rest;
      const start = at;
      const written = await this.#use((fd) => this.#files.writev(fd, pending, start));
      if (written === 0) throw new Error('The file system wrote nothing and gave no error');
      at += written;
      rest = bytesBetween(rest, written, Infinity);
    }
  }

  sync(): Promise<void> {
    return this.#use((fd) => this.#files.fdatasync(fd));
  }

  truncate(size: number): Promise<void> {
    return this.#use((fd) => this.#files.truncate(fd, size));
  }

  size(): Promise<FileSize> {
    return this.#use((fd) => this.#files.fstat(fd));
  }

  async #use<T>(call: (fd: number) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new Error('The file is closed');
    this.#underWay += 1;
    try {
      return await call(this.#fd);
    } finally {
      this.#underWay -= 1;
      if (this.#underWay === 0) this.#idle?.();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    try {
      await this.#files.close(this.#fd);
    } catch (error) {
      this.#events.emit({ type: 'storageFailed', operation: 'close', message: String(error) });
    }
  }
}
