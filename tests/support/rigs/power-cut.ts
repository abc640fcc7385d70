import * as fs from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { nodeFileSystem } from '../../../src/storage/disk/file-system.ts';
import type { FileSystem, OpenMode } from '../../../src/storage/disk/file-system.ts';

/** What every call fails with once the power is off. */
export class PowerFailure extends Error {
  override readonly name = 'PowerFailure';
}

type Change =
  | { readonly position: number; readonly bytes: Uint8Array }
  | { readonly truncatedTo: number };

/** `synced` is what a crash leaves for certain; each change since may be lost, kept, or kept as zeros. */
interface FileNode {
  synced: Uint8Array;
  readonly changes: Set<Change>;
  /** Where its name was before a rename that is not synced. */
  renamedFrom: { readonly folder: FolderNode; readonly name: string } | undefined;
}

interface FolderNode {
  readonly names: Map<string, TreeNode>;
  synced: Map<string, TreeNode>;
  /** Which sync left `synced`: of two at once, the one that began first may end last. */
  syncedBy: number;
}

type TreeNode = FileNode | FolderNode;

function isFolder(node: TreeNode): node is FolderNode {
  return 'names' in node;
}

function applied(content: Uint8Array, change: Change, zeroed = false): Uint8Array {
  const size =
    'truncatedTo' in change
      ? change.truncatedTo
      : Math.max(content.byteLength, change.position + change.bytes.byteLength);
  const next = new Uint8Array(size);
  next.set(content.subarray(0, size));
  if ('truncatedTo' in change) return next;
  if (zeroed) next.fill(0, change.position, change.position + change.bytes.byteLength);
  else next.set(change.bytes, change.position);
  return next;
}

/** A folder whose disk can lose its power: real files, and a memory of what was synced of them. */
export interface PowerCut {
  /** The file system of the process that runs now; after a crash it is dead and the next is asked for. */
  boot(): FileSystem;
  /** The power goes before the call after the next `calls`. */
  cutAfter(calls: number): void;
  /** Puts the folder to what the disk had. Of what was not synced, `keep` decides piece by piece what got there all the same. */
  crash(keep: () => boolean): Promise<void>;
  readonly openDescriptors: number;
}

/** `root` is an empty folder that is there, and durable. */
export function createPowerCut(root: string): PowerCut {
  return new PowerCutFolder(root);
}

class PowerCutFolder implements PowerCut {
  readonly #root: string;
  #tree: FolderNode = { names: new Map(), synced: new Map(), syncedBy: 0 };
  #lastSync = 0;
  readonly #open = new Map<number, FileNode>();
  readonly #underWay = new Set<Promise<unknown>>();
  #life = 0;
  #callsLeft = Number.POSITIVE_INFINITY;

  constructor(root: string) {
    this.#root = root;
  }

  get openDescriptors(): number {
    return this.#open.size;
  }

  cutAfter(calls: number): void {
    this.#callsLeft = calls;
  }

  boot(): FileSystem {
    const life = this.#life;
    const call = async <T>(work: () => Promise<T>): Promise<T> => {
      if (life !== this.#life || this.#callsLeft <= 0) throw new PowerFailure('The power is off');
      this.#callsLeft -= 1;
      const running = work();
      this.#underWay.add(running);
      try {
        return await running;
      } finally {
        this.#underWay.delete(running);
      }
    };
    const real = nodeFileSystem;
    return {
      open: (path, mode) => call(() => this.#openFile(path, mode)),
      close: (fd) =>
        call(async () => {
          this.#open.delete(fd);
          await real.close(fd);
        }),
      read: (fd, into, position) => call(() => real.read(fd, into, position)),
      writev: (fd, buffers, position) => call(() => this.#writev(fd, buffers, position)),
      fdatasync: (fd) => call(() => this.#fdatasync(fd)),
      syncFolder: (path) => call(() => this.#syncFolder(path)),
      rename: (from, to) => call(() => this.#rename(from, to)),
      unlink: (path) =>
        call(async () => {
          await real.unlink(path);
          this.#folderOf(path).names.delete(basename(path));
        }),
      mkdir: (path) => call(() => this.#mkdir(path)),
      stat: (path) => call(() => real.stat(path)),
      fstat: (fd) => call(() => real.fstat(fd)),
      readdir: (path) => call(() => real.readdir(path)),
      truncate: (fd, size) =>
        call(async () => {
          await real.truncate(fd, size);
          this.#open.get(fd)?.changes.add({ truncatedTo: size });
        }),
      statfs: (path) => call(() => real.statfs(path)),
    };
  }

  #folder(path: string): FolderNode {
    let node: TreeNode = this.#tree;
    for (const name of relative(this.#root, path).split(sep)) {
      if (name === '') continue;
      const next: TreeNode | undefined = isFolder(node) ? node.names.get(name) : undefined;
      if (next === undefined || !isFolder(next))
        throw new Error(`${path} is no folder of the model`);
      node = next;
    }
    return node;
  }

  #folderOf(path: string): FolderNode {
    return this.#folder(dirname(path));
  }

  async #openFile(path: string, mode: OpenMode): Promise<number> {
    const fd = await nodeFileSystem.open(path, mode);
    const { names } = this.#folderOf(path);
    let node = names.get(basename(path));
    if (node === undefined) {
      node = { synced: new Uint8Array(0), changes: new Set(), renamedFrom: undefined };
      names.set(basename(path), node);
    }
    if (isFolder(node)) throw new Error(`${path} is a folder`);
    if (mode === 'replace') node.changes.add({ truncatedTo: 0 });
    this.#open.set(fd, node);
    return fd;
  }

  async #writev(fd: number, buffers: readonly Uint8Array[], position: number): Promise<number> {
    const written = await nodeFileSystem.writev(fd, buffers, position);
    this.#open
      .get(fd)
      ?.changes.add({ position, bytes: new Uint8Array(Buffer.concat(buffers, written)) });
    return written;
  }

  async #fdatasync(fd: number): Promise<void> {
    const node = this.#open.get(fd);
    // What is written while the call runs is not covered by it.
    const covered = [...(node?.changes ?? [])];
    await nodeFileSystem.fdatasync(fd);
    for (const change of covered) {
      if (node?.changes.delete(change) === true) node.synced = applied(node.synced, change);
    }
  }

  async #syncFolder(path: string): Promise<void> {
    const folder = this.#folder(path);
    const names = new Map(folder.names);
    const sync = (this.#lastSync += 1);
    await nodeFileSystem.syncFolder(path);
    if (sync < folder.syncedBy) return;
    folder.synced = names;
    folder.syncedBy = sync;
    for (const node of names.values()) {
      if (isFolder(node) || node.renamedFrom === undefined) continue;
      // A rename is one step on the disk: where the new name is, the old is not.
      const { folder: from, name } = node.renamedFrom;
      if (from !== folder && from.synced.get(name) === node) from.synced.delete(name);
      node.renamedFrom = undefined;
    }
  }

  async #rename(from: string, to: string): Promise<void> {
    await nodeFileSystem.rename(from, to);
    const source = this.#folderOf(from);
    const node = source.names.get(basename(from));
    if (node === undefined) throw new Error(`${from} is not in the model`);
    source.names.delete(basename(from));
    this.#folderOf(to).names.set(basename(to), node);
    if (!isFolder(node)) node.renamedFrom = { folder: source, name: basename(from) };
  }

  async #mkdir(path: string): Promise<boolean> {
    const made = await nodeFileSystem.mkdir(path);
    if (made)
      this.#folderOf(path).names.set(basename(path), {
        names: new Map(),
        synced: new Map(),
        syncedBy: 0,
      });
    return made;
  }

  async crash(keep: () => boolean): Promise<void> {
    this.#life += 1;
    await Promise.allSettled(this.#underWay);
    for (const fd of this.#open.keys()) fs.closeSync(fd);
    this.#open.clear();
    this.#callsLeft = Number.POSITIVE_INFINITY;
    for (const name of fs.readdirSync(this.#root)) {
      fs.rmSync(join(this.#root, name), { recursive: true });
    }
    this.#tree = restore(this.#tree, this.#root, keep, new Set());
  }
}

/** Writes what the disk had below `path`, and answers it as the tree of the next life. */
function restore(
  folder: FolderNode,
  path: string,
  keep: () => boolean,
  placed: Set<FileNode>,
): FolderNode {
  const names = new Map<string, TreeNode>();
  for (const name of new Set([...folder.synced.keys(), ...folder.names.keys()])) {
    const [before, now] = [folder.synced.get(name), folder.names.get(name)];
    const node = before === now || keep() ? now : before;
    if (node === undefined) continue;
    const child = join(path, name);
    if (isFolder(node)) {
      fs.mkdirSync(child);
      names.set(name, restore(node, child, keep, placed));
    } else if (!placed.has(node)) {
      placed.add(node);
      const content = contentOf(node, keep);
      fs.writeFileSync(child, content);
      names.set(name, { synced: content, changes: new Set(), renamedFrom: undefined });
    }
  }
  return { names, synced: new Map(names), syncedBy: 0 };
}

function contentOf(node: FileNode, keep: () => boolean): Uint8Array {
  let content = node.synced;
  for (const change of node.changes) {
    const kept = keep();
    if (kept || keep()) content = applied(content, change, !kept);
  }
  return content;
}
