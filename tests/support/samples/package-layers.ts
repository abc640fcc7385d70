// Real file trees for image layers: Debian packages of two architectures, or this machine's own programs where there is no apt.
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { readdir, rename, stat, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { openDebianPackages } from '../tools/debian-packages.ts';
import type { Architecture } from '../tools/debian-packages.ts';
import { findTool } from '../tools/tools.ts';

/** A layer file: a gzipped tar of a package's tree. */
export interface Layer {
  readonly file: string;
  /** Of the gzipped bytes. */
  readonly digest: string;
  readonly size: number;
  /** Of the tar inside. */
  readonly diffId: string;
}

/** Makes layers by package name; `origin` says what the content is. */
export interface LayerSource {
  readonly origin: 'debian' | 'machine';
  /** `gzipLevel` 0 stores: quick for the big one, whose files are compressed already. */
  layer(packageName: string, architecture: Architecture, gzipLevel: number): Promise<Layer>;
}

/** Layers of Debian packages. */
export async function openDebianLayers(folder: string): Promise<LayerSource | { missing: string }> {
  const packages = await openDebianPackages(folder);
  if ('missing' in packages) return packages;
  return {
    origin: 'debian',
    async layer(name, architecture, level) {
      const deb = await packages.download(name, architecture);
      return await layerOf('dpkg-deb', ['--fsys-tarfile', deb], folder, level);
    },
  };
}

/** Files of this machine instead of packages; the architectures differ by name only. */
export async function openMachineLayers(folder: string): Promise<LayerSource> {
  const tar = await findTool('tar');
  if ('missing' in tar) throw new Error(tar.missing);
  return {
    origin: 'machine',
    async layer(name, architecture, level) {
      const files = name === bigPackage ? await manyFiles(210_000_000) : await someFiles(name);
      const args = ['-c', '--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
      const list = join(folder, `${name}-${architecture}.list`);
      await writeFile(list, files.join('\0'));
      args.push('--dereference', '-P', `--transform=s,^/,${architecture}/,`, '--null', '-T', list);
      return await layerOf(tar.path, args, folder, level);
    },
  };
}

/** Fonts: 219 MB that hardly compress. */
export const bigPackage = 'fonts-noto-cjk-extra';

async function someFiles(name: string): Promise<string[]> {
  const all = (await readdir('/usr/bin')).toSorted().map((each) => join('/usr/bin', each));
  const start = createHash('sha256').update(name).digest().readUInt16BE(0) % all.length;
  return await readable([...all.slice(start), ...all.slice(0, start)], 6_000_000);
}

async function manyFiles(bytes: number): Promise<string[]> {
  return await readable(walk('/usr/lib', [process.execPath]), bytes);
}

/** The files of a folder, breadth first and without following links, after `first`. */
async function* walk(folder: string, first: readonly string[]): AsyncGenerator<string> {
  yield* first;
  const folders = [folder];
  for (let next = folders.shift(); next !== undefined; next = folders.shift()) {
    const entries = await readdir(next, { withFileTypes: true }).catch(() => []);
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      if (entry.isDirectory()) folders.push(join(next, entry.name));
      else if (entry.isFile()) yield join(next, entry.name);
    }
  }
}

/** The first regular files of the list until their sizes reach `bytes`. */
async function readable(
  files: AsyncIterable<string> | Iterable<string>,
  bytes: number,
): Promise<string[]> {
  const chosen: string[] = [];
  let sum = 0;
  for await (const file of files) {
    const found = await stat(file).catch(() => undefined);
    if (found === undefined || !found.isFile() || (found.mode & 0o004) === 0) continue;
    // One huge file would be the whole layer.
    if (found.size > bytes / 2) continue;
    chosen.push(file);
    sum += found.size;
    if (sum >= bytes) return chosen;
  }
  throw new Error(`this machine has only ${sum} of ${bytes} bytes for a layer`);
}

async function layerOf(
  program: string,
  args: readonly string[],
  folder: string,
  level: number,
): Promise<Layer> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = new Promise<number | null>((resolve) => child.on('close', resolve));
  const temporary = join(folder, `layer-${process.pid}-${performance.now()}`);
  const tar = hashing();
  const zipped = hashing();
  const gzip = createGzip({ level });
  await pipeline(child.stdout, tar.stream, gzip, zipped.stream, createWriteStream(temporary));
  if ((await exit) !== 0) throw new Error(`${program} ${args.join(' ').slice(0, 300)} failed`);
  const digest = zipped.digest();
  const file = join(folder, digest.replace(':', '-'));
  await rename(temporary, file);
  const { size } = await stat(file);
  return { file, digest, size, diffId: tar.digest() };
}

function hashing(): { readonly stream: Transform; digest(): string } {
  const hash = createHash('sha256');
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  return { stream, digest: () => `sha256:${hash.digest('hex')}` };
}
