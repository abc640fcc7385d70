import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** A file as it was when it was read. */
export interface ReadFile {
  /** No link. */
  readonly realPath: string;
  readonly mtimeMs: number;
  readonly size: number;
}

/** What of the file system is used, so that a test can let each step fail. */
export interface ReplaceSteps {
  stat(path: string): Stats;
  open(path: string, mode: number): number;
  write(descriptor: number, bytes: Uint8Array): void;
  chmod(descriptor: number, mode: number): void;
  chown(descriptor: number, user: number, group: number): void;
  sync(descriptor: number): Promise<void>;
  close(descriptor: number): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
}

const fsync = promisify(fs.fsync);

/** Only the waiting for the disk is left to other threads: for thousands of small files the way there takes longer than the work. */
const onDisk: ReplaceSteps = {
  stat: (path) => fs.statSync(path),
  open: (path, mode) => fs.openSync(path, 'wx', mode),
  write: (descriptor, bytes) => fs.writeFileSync(descriptor, bytes),
  chmod: (descriptor, mode) => fs.fchmodSync(descriptor, mode),
  chown: (descriptor, user, group) => fs.fchownSync(descriptor, user, group),
  sync: (descriptor) => fsync(descriptor),
  close: (descriptor) => fs.closeSync(descriptor),
  rename: (from, to) => fs.renameSync(from, to),
  remove: (path) => fs.rmSync(path, { force: true }),
};

/**
 * Puts a text in the place of a file: written beside it, synced, then renamed over it, with its mode and owner. Where a step
 * fails, or the file was changed since it was read, the old one stays and nothing is left beside it; throws.
 */
export async function replaceFile(
  file: ReadFile,
  text: string,
  steps: ReplaceSteps = onDisk,
): Promise<void> {
  const { realPath: path } = file;
  requireSame(file, steps.stat(path));
  const beside = join(
    dirname(path),
    `.${basename(path).slice(0, 100)}.${randomBytes(6).toString('hex')}.new`,
  );
  let descriptor: number | undefined;
  let isThere = false;
  try {
    descriptor = steps.open(beside, 0o600);
    isThere = true;
    steps.write(descriptor, Buffer.from(text));
    const now = steps.stat(path);
    giveOwner(descriptor, now, steps);
    // After the owner, since a change of that takes the bits of set-user-ID away.
    steps.chmod(descriptor, now.mode & 0o7777);
    await steps.sync(descriptor);
    const written = descriptor;
    descriptor = undefined;
    steps.close(written);
    requireSame(file, steps.stat(path));
    steps.rename(beside, path);
    isThere = false;
  } finally {
    if (descriptor !== undefined) steps.close(descriptor);
    if (isThere) steps.remove(beside);
  }
}

function requireSame({ mtimeMs, size }: ReadFile, now: Stats): void {
  if (now.mtimeMs !== mtimeMs || now.size !== size)
    throw new Error('it was changed while it was read');
}

/** Who writes for somebody else, as root does with sudo, leaves them their file. */
function giveOwner(descriptor: number, { uid, gid }: Stats, steps: ReplaceSteps): void {
  if (uid === process.geteuid?.() && gid === process.getegid?.()) return;
  try {
    steps.chown(descriptor, uid, gid);
  } catch (error) {
    // Nobody but root gives files away; whoever may write here is the file's user anyway.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
}
