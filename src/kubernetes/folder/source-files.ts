import { isUtf8 } from 'node:buffer';
import type { Dirent } from 'node:fs';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { opendir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { formatOf, sourceBytesMax } from '../text/read-source.ts';

/** A file that was read, or why it was not. */
export type SourceFile =
  | {
      /** As it is to be named to people: under the path that was given. */
      readonly path: string;
      /** Where links lead; this is what is replaced. */
      readonly realPath: string;
      readonly text: string;
      readonly mtimeMs: number;
      /** Bytes. */
      readonly size: number;
    }
  | { readonly path: string; readonly problem: string };

const filesMax = 100_000;
const depthMax = 32;
/** Of a file's begin, in which a NUL says that it is no text. */
const sniffedBytes = 8 * 1024;
/** Folders that hold other people's files, or none that are written by hand. */
const skippedFolders: ReadonlySet<string> = new Set([
  '.git',
  '.hg',
  '.svn',
  'node_modules',
  '.terraform',
  '.venv',
]);

/**
 * The files under a path whose names say that they may name images, each once, in the order of their names; a path to a file is
 * that file whatever its name. Links are followed where they stay under the path that was given. Throws where the path itself
 * isn't there; what lies below and can't be read is a problem.
 */
export async function* sourceFiles(
  given: string,
  signal?: AbortSignal,
): AsyncGenerator<SourceFile> {
  const root = await realpath(given);
  if (!(await stat(root)).isDirectory()) {
    const file = readSourceFile(given, root);
    yield file ?? { path: given, problem: 'it is no text: it has NUL bytes' };
    return;
  }
  const seen = new Set<string>();
  let files = 0;
  for await (const found of walk(given, root, 0, { root, seen })) {
    signal?.throwIfAborted();
    if ('problem' in found) {
      yield found;
      continue;
    }
    files += 1;
    if (files > filesMax)
      throw new Error(
        `${given} holds more than ${filesMax} files to look into: name folders below it`,
      );
    const file = readSourceFile(found.path, found.realPath);
    if (file !== undefined) yield file;
  }
}

interface Bounds {
  readonly root: string;
  /** Real paths that were met: a link may lead to one again. */
  readonly seen: Set<string>;
}

type Met =
  | { readonly path: string; readonly realPath: string }
  | { readonly path: string; readonly problem: string };

async function* walk(
  path: string,
  folder: string,
  depth: number,
  bounds: Bounds,
): AsyncGenerator<Met> {
  if (bounds.seen.has(folder)) return;
  bounds.seen.add(folder);
  if (depth > depthMax) {
    yield { path, problem: `folders are nested more than ${depthMax} deep` };
    return;
  }
  let entries: readonly Dirent[];
  try {
    entries = await entriesIn(folder);
  } catch (error) {
    yield { path, problem: problemOf(error) };
    return;
  }
  for (const entry of entries) {
    const below = join(path, entry.name);
    try {
      const met = await meet(entry, below, folder, bounds);
      if (met === undefined) continue;
      if ('folder' in met) yield* walk(below, met.folder, depth + 1, bounds);
      else yield met;
    } catch (error) {
      yield { path: below, problem: problemOf(error) };
    }
  }
}

/** A file to read, a folder to walk, or nothing; only links need to be asked where they lead. */
async function meet(
  entry: Dirent,
  path: string,
  folder: string,
  { root, seen }: Bounds,
): Promise<Met | { readonly folder: string } | undefined> {
  let realPath = join(folder, entry.name);
  let kind: Pick<Dirent, 'isDirectory' | 'isFile'> = entry;
  const isWanted = formatOf(path) !== undefined;
  if (entry.isSymbolicLink()) {
    realPath = await realpath(realPath);
    if (isOutside(root, realPath))
      return isWanted ? { path, problem: 'the link leads out of the folder' } : undefined;
    kind = await stat(realPath);
  }
  if (kind.isDirectory()) return skippedFolders.has(entry.name) ? undefined : { folder: realPath };
  if (!kind.isFile() || !isWanted || seen.has(realPath)) return undefined;
  seen.add(realPath);
  return { path, realPath };
}

async function entriesIn(folder: string): Promise<readonly Dirent[]> {
  const entries: Dirent[] = [];
  for await (const entry of await opendir(folder, { bufferSize: 256 })) {
    entries.push(entry);
    if (entries.length > filesMax) throw new Error(`it holds more than ${filesMax} names`);
  }
  return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function isOutside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === '..' || way.startsWith(`..${sep}`);
}

/** `undefined` for what is no text. In place: for thousands of small files the way over other threads takes longer than the reading. */
function readSourceFile(path: string, realPath: string): SourceFile | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(realPath, 'r');
    const { size, mtimeMs } = fstatSync(descriptor);
    if (size > sourceBytesMax)
      return { path, problem: `it is larger than ${sourceBytesMax / 1024 / 1024} MiB` };
    const bytes = readFileSync(descriptor);
    if (bytes.subarray(0, sniffedBytes).includes(0)) return undefined;
    if (!isUtf8(bytes)) return { path, problem: 'it is no UTF-8' };
    return { path, realPath, text: bytes.toString('utf8'), mtimeMs, size };
  } catch (error) {
    return { path, problem: problemOf(error) };
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function problemOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
      return 'it is not there; a link may lead nowhere';
    case 'EACCES':
    case 'EPERM':
      return 'this user may not read it';
    case 'ELOOP':
      return 'its links lead in a circle';
    case undefined:
    default:
      return message;
  }
}
